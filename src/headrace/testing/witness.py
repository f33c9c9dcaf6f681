"""Stands behind every hook of a model and notes what becomes of the contexts that it sees."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import new_class
from typing import Any

from headrace.model.api import Model
from headrace.model.context import Context, current, is_untouched

OF_A_REQUEST = ("decode_request", "predict", "predict_batch", "encode_response")
DEPTH = 3  # how far into lists and dicts on a model a kept context is looked for


@dataclass(slots=True)
class Look:
    """What was in a context when its last hook returned."""

    context: Context
    items: dict[str, Any]
    status: int
    headers: dict[str, str]

    def is_true(self) -> bool:
        """Tell whether all of it is still there, and no more."""
        now, then = dict(self.context), self.items
        return (
            now.keys() == then.keys()
            and all(now[key] is then[key] for key in now)
            and (self.context.status, self.context.response_headers) == (self.status, self.headers)
        )


@dataclass(slots=True)
class Witness:
    """Notes for one round; `broken` says which promise was broken, by whose context."""

    broken: list[str] = field(default_factory=list)
    _looks: dict[int, Look] = field(default_factory=dict)
    _owners: dict[str, Context] = field(default_factory=dict)

    def behind(self, cls: type[Model]) -> type[Model]:
        """Derive the same model with its hooks watched; what is no plain function is let alone.

        So is a generator: other hooks of its request run while it stands at a `yield`.
        """
        hooks = {
            name: self._watched(hook)
            for name in OF_A_REQUEST
            if inspect.isfunction(hook := inspect.getattr_static(cls, name, None))
            and not (inspect.isgeneratorfunction(hook) or inspect.isasyncgenfunction(hook))
        }
        same = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        return new_class(cls.__name__, (cls,), exec_body=lambda names: names.update(same | hooks))

    def look_back(self, model: Model) -> None:
        """Note, after the last request, what was done to contexts that had ended."""
        for look in self._looks.values():
            if not look.is_true():
                self._note(look.context, "was changed after its own hooks had returned")
        for owner in (model, *type(model).__mro__[1:]):
            if owner in (Model, object):
                continue
            for name, value in getattr(owner, "__dict__", {}).items():
                kept = _context_in(value, DEPTH)
                if kept is not None:
                    where = owner.__name__ if isinstance(owner, type) else "self"
                    self._note(kept, f"was kept in {where}.{name} after its request had ended")

    def forget(self) -> None:
        """Begin a new round."""
        self._looks.clear()
        self._owners.clear()

    def _watched(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(hook):

            @functools.wraps(hook)
            async def waits(*args: Any, **kwargs: Any) -> Any:
                with self._watching(hook.__name__, [*args, *kwargs.values()]):
                    return await hook(*args, **kwargs)

            return waits

        @functools.wraps(hook)
        def runs(*args: Any, **kwargs: Any) -> Any:
            with self._watching(hook.__name__, [*args, *kwargs.values()]):
                return hook(*args, **kwargs)

        return runs

    @contextmanager
    def _watching(self, hook: str, given: list[Any]) -> Iterator[None]:
        found = current.get(None)
        own = found if isinstance(found, Context) else None  # a batch has several
        contexts = _contexts(given) if own is None else [own]
        for context in contexts:
            self._enter(context, hook)
        if own is not None and any(each is not own for each in _contexts(given)):
            self._note(own, f"is not the one that {hook} was given")
        try:
            yield
        finally:
            for context in contexts:
                headers = dict(context.response_headers)
                self._looks[id(context)] = Look(context, dict(context), context.status, headers)

    def _enter(self, context: Context, hook: str) -> None:
        look = self._looks.get(id(context))
        if look is not None:
            if not look.is_true():
                self._note(context, f"was changed before {hook} by a hook of another request")
            return
        if context or not is_untouched(context):
            self._note(context, f"was not fresh when {hook} got it: {context!r}")
        if self._owners.setdefault(context.request_id, context) is not context:
            self._note(context, "is one of two that its request had")

    def _note(self, context: Context, words: str) -> None:
        self.broken.append(f"{context.request_id}: its context {words}")


def _contexts(given: list[Any]) -> list[Context]:
    """Find the contexts among a hook's arguments: one, or the list of a batch."""
    flat = [each for value in given for each in (value if type(value) is list else [value])]
    return [each for each in flat if isinstance(each, Context)]


def _context_in(value: object, depth: int) -> Context | None:
    if isinstance(value, Context):
        return value
    if depth == 0 or not isinstance(value, dict | list | tuple | set):
        return None
    inside = value.values() if isinstance(value, dict) else value
    found = (_context_in(each, depth - 1) for each in inside)
    return next((kept for kept in found if kept is not None), None)
