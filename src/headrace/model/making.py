"""Make the object that a replica serves, with what `hr.bind` was given for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.model.handle import Handle, line_here
from headrace.model.pickles import unpacked


def make(target: Callable[..., Any], arguments: bytes) -> Any:
    """Call a class with packed arguments; names in them become handles.

    What unpacking them, or the constructor, raises passes.
    """
    own = line_here()  # in a worker that holds several replicas, threads would not find it

    def handle(name: str) -> Handle:
        return Handle(name, line=own)

    args, kwargs = unpacked(arguments, handle) if arguments else ((), {})
    return target(*args, **kwargs)
