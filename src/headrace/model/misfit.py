"""What does not fit: told where it is found, with the way to it added on the way out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from headrace.errors import Unprocessable

T = TypeVar("T")


class Misfit(ValueError):
    """A value is not what the annotation wants; `path` leads from it to the fault."""

    def __init__(self, detail: str, path: str = "$") -> None:
        super().__init__(detail)
        self.detail, self.path = detail, path


def fitted(make: Callable[[Any], T], given: Any, at: str = "$") -> T:
    """Make a value of what was given; a Misfit becomes Unprocessable, told from the outermost."""
    try:
        return make(given)
    except Misfit as error:
        raise Unprocessable(error.detail, path=at + error.path[1:]) from error


def only(found: Sequence[T]) -> T:
    """Give the one there is; raises Misfit if there are more."""
    if len(found) > 1:
        raise Misfit(f"one is wanted, {len(found)} came")
    return found[0]
