"""Make the object that a replica serves, with what `hr.bind` was given for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.model.handle import Handle
from headrace.model.pickles import unpacked


def make(target: Callable[..., Any], arguments: bytes) -> Any:
    """Call a class with packed arguments; names in them become handles.

    What unpacking them, or the constructor, raises passes.
    """
    args, kwargs = unpacked(arguments, Handle) if arguments else ((), {})
    return target(*args, **kwargs)
