"""Bind a class to the arguments its replicas are made with; deployments among them become handles.

`hr.bind(Front, hr.bind(Classify), top_k=5)` is a graph. `served_from` walks it once, where the
user's code may run, into plain descriptions: from there on nobody needs the objects.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, ValuesView
from types import FunctionType
from typing import Any, ParamSpec, Unpack, overload

import msgspec

from headrace.errors import ConfigError, HeadraceError
from headrace.model import pickles
from headrace.model.api import Model
from headrace.model.apps import is_app, place_of
from headrace.model.deployment import OptionWords, is_noted, options_of, with_options
from headrace.model.handle import CallOptions, Handle, NoLine, Response
from headrace.model.names import kebab
from headrace.model.served import Served, describe

P = ParamSpec("P")


class Bound(Handle):
    """A deployment with the arguments that it will be made with.

    To a type checker it is the Handle that it arrives as; before it is served it answers nothing.
    """

    __slots__ = ("args", "changes", "kwargs", "target")
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    changes: dict[str, object]
    """Options that differ from those noted on it."""

    def __init__(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        changes: Mapping[str, object] | None = None,
    ) -> None:
        """See `bind`."""
        super().__init__(options_of(target).name or "")
        self.target, self.args = target, args
        self.kwargs, self.changes = dict(kwargs or {}), dict(changes or {})

    def __call__(self, *_: Any, **__: Any) -> Response:
        """Raise NoLine: it is a plan, and nothing runs yet."""
        raise NoLine(f"{self!r} is not served: give it to hr.run, hr.start or another hr.bind")

    def __getattr__(self, name: str) -> Handle:
        """Raise AttributeError: it has no methods yet."""
        raise AttributeError(f"{self!r} is not served, and has no {name}")

    def options(self, **options: Unpack[OptionWords]) -> Bound:  # type: ignore[override] # of a deployment, not of calls
        """Return the same with other options. Raises ConfigError."""
        with_options(options_of(self.target), dict(options))  # say now what is wrong
        return Bound(self.target, self.args, self.kwargs, {**self.changes, **options})

    def __reduce__(self) -> tuple[type[Handle], tuple[str, str, CallOptions]]:
        raise TypeError(f"{self!r} is a plan and no value: it travels within hr.bind only")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<Bound {getattr(self.target, '__qualname__', self.target)}>"


@overload
def bind(target: FunctionType, /) -> Bound: ...
@overload
def bind(target: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> Bound: ...
def bind(target: Callable[..., object], /, *args: Any, **kwargs: Any) -> Bound:
    """Bind a class to the arguments of its constructor, or take a function as it is.

    What is bound, and any deployment's class among the arguments, arrives as a Handle. Raises
    ConfigError if the arguments do not fit.
    """
    if isinstance(target, Bound):
        raise ConfigError(f"{target!r} is bound already; `.options(...)` changes its options")
    if not (isinstance(target, type) or inspect.isfunction(target)):
        raise ConfigError(f"hr.bind takes a class or a function, not {target!r}")
    if inspect.isfunction(target) and (args or kwargs):
        raise ConfigError(f"{target.__qualname__} is a function: it has nothing to be made with")
    if isinstance(target, type):
        _check_fit(target, args, kwargs)
    return Bound(target, args, kwargs)


def _check_fit(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(cls)
    except (NameError, TypeError, ValueError):
        return  # nothing to read: making it will tell
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ConfigError(
            f"hr.bind({cls.__qualname__}, ...) does not fit its constructor: {error}"
        ) from None


def is_deployable(found: object) -> bool:
    """Tell whether a class or function, standing somewhere, is meant as a deployment."""
    is_model = isinstance(found, type) and issubclass(found, Model)
    return isinstance(found, Bound) or is_model or is_noted(found)


def served_from(root: object) -> list[Served]:
    """Describe a graph: its root first, then what it uses, each under a name of its own.

    Only the root, and what has a route of its own, can be reached from outside. Raises ConfigError.
    """
    graph = _Graph()
    graph.name_of(_as_bound(root))
    return [graph.found[name] for name in graph.order]


def roots(found: Iterable[object]) -> list[Bound]:
    """Return those of some objects that are bound and that none of the others uses."""
    bound = dict.fromkeys(each for each in found if isinstance(each, Bound))
    used = {below for each in bound for below in _below((each.args, each.kwargs))}
    return [each for each in bound if each not in used]


def _below(value: object) -> Iterator[Bound]:
    """Find what is bound within the arguments of something that is."""
    if isinstance(value, Bound):
        yield value
        value = (value.args, value.kwargs)
    within = value.values() if isinstance(value, Mapping) else value
    if isinstance(within, (list, tuple, set, frozenset, ValuesView)):
        for each in within:
            yield from _below(each)


class _Graph:
    """A graph as it is walked."""

    def __init__(self) -> None:
        self.found: dict[str, Served] = {}
        self.order: list[str] = []
        self._names: dict[Bound, str] = {}
        self._plain: dict[object, Bound] = {}

    def name_of(self, bound: Bound) -> str:
        """Return the name of a node, described with all that is below it."""
        if bound not in self._names:
            options = with_options(options_of(bound.target), bound.changes)
            name = self._names[bound] = self._free(options.name or "")
            self.order.append(name)
            is_root = len(self.order) == 1
            arguments = self._packed(bound)
            served = describe(bound.target, options, is_made_with=bool(arguments))
            self.found[name] = msgspec.structs.replace(
                served, name=name, arguments=arguments, is_root=is_root, changes=bound.changes
            )
        return self._names[bound]

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.order:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def _packed(self, bound: Bound) -> bytes:
        if not bound.args and not bound.kwargs:
            return b""
        args = tuple(self._meant(value) for value in bound.args)
        kwargs = {word: self._meant(value) for word, value in bound.kwargs.items()}
        try:
            return pickles.with_references((args, kwargs), self._word_of)
        except HeadraceError:
            raise
        except Exception as error:
            raise ConfigError(
                f"the arguments of {bound!r} cannot reach another process: "
                f"{type(error).__name__}: {error}; make what cannot travel in its constructor"
            ) from error

    def _meant(self, value: object) -> object:
        """Take a deployment's class, given as an argument, as that deployment."""
        if isinstance(value, Bound) or not is_deployable(value):
            return value
        return self._plain.setdefault(value, _as_bound(value))

    def _word_of(self, found: object) -> str | None:
        return self.name_of(found) if isinstance(found, Bound) else None


def _as_bound(target: object) -> Bound:
    if isinstance(target, Bound):
        return target
    if isinstance(target, type) or inspect.isfunction(target):
        return bind(target)
    if is_app(target):
        named = place_of(target)
        return Bound(target, changes={"name": kebab(named[1])} if named else {})
    raise ConfigError(
        f"cannot serve {target!r}: a target is a model, any class or function that is a "
        "deployment, what hr.bind returns, or an ASGI application (a WSGI application is served "
        "alone: headrace serve module:app)"
    )
