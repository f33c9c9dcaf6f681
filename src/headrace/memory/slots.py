"""A slot: a large body's place in shared memory. It crosses the wire in the body's stead.

Whoever holds a Slot, or a view of its bytes, holds the memory: the writer gets it back when the
last object is gone in every process that was sent one. Nobody frees anything by hand.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

LARGE_BYTES = 1 << 16
"""A body up to here is cheaper sent than shared."""


class Slot(Struct, array_like=True, tag=3, frozen=True, weakref=True):
    """`size` bytes at `offset` of a region that one process writes and all of a server read."""

    arena: int
    region: int
    offset: int
    size: int

    def __post_init__(self) -> None:
        """Find a keeper, whether the slot was made here or read off a wire."""
        arenas[self.arena].adopt(self)

    def open(self) -> memoryview:
        """Return the bytes, read-only, where they are."""
        return arenas[self.arena].view(self)


class Mapped(Protocol):
    """What a slot needs of the arena it is in."""

    def adopt(self, slot: Slot) -> None:
        """Watch over a slot that has come to be in this process."""

    def view(self, slot: Slot) -> memoryview:
        """Return a slot's bytes; they keep the slot alive."""


arenas: dict[int, Mapped] = {}
"""The arenas that are open in this process, by their numbers."""


def view_of(body: bytes | Slot) -> bytes | memoryview:
    """Return a body's content, wherever it is."""
    return body if isinstance(body, bytes) else body.open()


def length_of(body: bytes | Slot) -> int:
    """Return how many bytes a body has."""
    return len(body) if isinstance(body, bytes) else body.size
