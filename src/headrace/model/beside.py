"""Something of ours beside each of the users' objects: found by the object, gone with it.

The object itself stays as it is: it may be frozen, compare equal to others, or be pickled.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Generic, TypeVar

from headrace.errors import ConfigError

T = TypeVar("T")


class Beside(Generic[T]):
    """What there is beside each object; `None` stands for no object, and stays."""

    def __init__(self, whose: str) -> None:
        """`whose` it is, for an error's words."""
        self._whose = whose
        self._found: dict[int, tuple[weakref.ref[object] | None, T]] = {}

    def get(self, owner: object) -> T | None:
        """Return what is beside an object."""
        found = self._found.get(id(owner))
        return None if found is None else found[1]

    def put(self, owner: object, thing: T) -> None:
        """Put something beside an object. Raises ConfigError if nobody can tell when it is gone."""
        self._found[id(owner)] = (self._watch(owner), thing)

    def _watch(self, owner: object) -> weakref.ref[object] | None:
        if owner is None:
            return None
        try:
            return weakref.ref(owner, partial(self._forget, id(owner)))
        except TypeError:
            kind = type(owner).__qualname__
            raise ConfigError(
                f"{self._whose} is for each object apart, and nobody can tell when a {kind} is "
                "gone: add `__weakref__` to its `__slots__`"
            ) from None

    def _forget(self, key: int, _: object) -> None:
        self._found.pop(key, None)

    def __len__(self) -> int:
        return len(self._found)
