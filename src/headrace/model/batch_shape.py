"""What a function with `@hr.batch` takes: read once, where it is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.errors import ConfigError
from headrace.model.context import Context
from headrace.model.ranges import CHECKS

CONTEXTS = "contexts"
NOTE = "__headrace_batch__"
"""Where a function tells that it is batched."""
_LIKE = {
    "max_size": "max_batch_size",
    "wait_s": "batch_wait_s",
    "max_ongoing": "max_batch_size",
    "isolate": "isolate_batch_errors",
}
"""Which option of a deployment each may be the same as."""
Values = tuple[Any, ...]
"""What one caller gave, a value for each of the lists."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is closed, and what becomes of one that raises. Raises ConfigError."""

    max_size: int = 16
    wait_s: float = 0.0
    max_ongoing: int = 1
    isolate: bool = True

    def __post_init__(self) -> None:
        for word, option in _LIKE.items():
            value = getattr(self, word)
            if (wish := CHECKS[option](value)) is not None:
                raise ConfigError(f"@hr.batch: `{word}` must be {wish}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Shape:
    """A function that takes lists, and how one caller's values become an item of each."""

    function: Callable[..., Any]
    limits: Limits
    name: str
    is_method: bool
    streams: bool
    one: inspect.Signature
    """Of a call with one item: without `self` and `contexts`."""
    by_keyword: tuple[str, ...]
    """The last lists, where they are handed over by name."""
    takes_contexts: bool

    def values(self, args: Values, kwargs: dict[str, Any]) -> Values:
        """Return what a caller gives for each list. Raises TypeError."""
        if not kwargs and len(args) == len(self.one.parameters) and not self.by_keyword:
            return args
        try:
            bound = self.one.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}() takes one item of each list: {error}") from None
        bound.apply_defaults()
        return tuple(bound.arguments.values())

    def call(self, owner: object, items: Sequence[Values], contexts: Sequence[Context]) -> Any:
        """Call the function with lists of its own, aligned."""
        columns: list[Any] = [list(column) for column in zip(*items, strict=True)]
        first = len(columns) - len(self.by_keyword)
        named = dict(zip(self.by_keyword, columns[first:], strict=True))
        if self.takes_contexts:
            named[CONTEXTS] = list(contexts)
        before = (owner,) if self.is_method else ()
        return self.function(*before, *columns[:first], **named)


def shape_of(function: Callable[..., Any], limits: Limits) -> Shape:
    """Read a function. Raises ConfigError with the mend for what cannot be batched."""
    name = getattr(function, "__qualname__", repr(function))
    streams = inspect.isasyncgenfunction(function)
    if not (streams or inspect.iscoroutinefunction(function)):
        raise _mistake(name, "is not `async def`", "its callers await; write it as one")
    parameters = list(inspect.signature(function).parameters.values())
    is_method = _stands_in_a_class(name)
    data = parameters[1:] if is_method else parameters
    if wrong := [each for each in data if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]:
        raise _mistake(name, f"takes `{wrong[0]}`", "name each list that it takes")
    if any(each.name == "context" for each in data):
        raise _mistake(name, "takes `context`", "a batch serves many: take `contexts`, their list")
    takes_contexts = any(each.name == CONTEXTS for each in data)
    data = [each for each in data if each.name != CONTEXTS]
    if not data:
        mend = "add a parameter for the list of items"
        if is_method:
            mend += "; a static method is to be a function outside of its class"
        raise _mistake(name, "takes no list", mend)
    by_keyword = tuple(each.name for each in data if each.kind is each.KEYWORD_ONLY)
    one = inspect.Signature(data)
    return Shape(function, limits, name, is_method, streams, one, by_keyword, takes_contexts)


def _stands_in_a_class(qualname: str) -> bool:
    outer = qualname.rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>")


def _mistake(name: str, wrong: str, mend: str) -> ConfigError:
    return ConfigError(f"@hr.batch on {name}: it {wrong}; {mend}")
