"""One shape for every hook: whatever it takes, it is called as `call(model, value, context)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from headrace.model.arguments import Arguments

Call = Callable[[Any, Any, Any], Any]
"""Looks the hook up on the model at each call: `setup` may have put a compiled one in its place."""


def call_with_nothing(arguments: Arguments) -> Call:
    """Call a hook that reads no body."""
    hook, name = arguments.hook, arguments.context
    if name is None:
        return lambda model, _value, _context: getattr(model, hook)()
    return lambda model, _value, context: getattr(model, hook)(**{name: context})


def call_with_one(arguments: Arguments) -> Call:
    """Call a hook with one value for its first data parameter; the others keep their defaults."""
    hook, name, first = arguments.hook, arguments.context, arguments.data[0]
    if not first.by_position:
        word = first.name
        if name is None:
            return lambda model, value, _context: getattr(model, hook)(**{word: value})
        return lambda model, value, context: getattr(model, hook)(**{word: value, name: context})
    if name is None:
        return lambda model, value, _context: getattr(model, hook)(value)
    if name == "context":  # the usual name, at half the cost
        return lambda model, value, context: getattr(model, hook)(value, context=context)
    return lambda model, value, context: getattr(model, hook)(value, **{name: context})


def call_with_fields(arguments: Arguments) -> Call:
    """Call a hook with the fields of one record, each for the parameter of its name."""
    hook, name = arguments.hook, arguments.context
    give_positional = _getter([p.name for p in arguments.data if p.by_position])
    words = [p.name for p in arguments.data if not p.by_position]
    give_keywords = _getter(words)

    def call(model: Any, record: Any, context: Any) -> Any:
        keywords = dict(zip(words, give_keywords(record), strict=True)) if words else {}
        if name is not None:
            keywords[name] = context
        return getattr(model, hook)(*give_positional(record), **keywords)

    return call


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda _record: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda record: (get(record),)
