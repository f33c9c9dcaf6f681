"""One file in memory for all the processes of a server, cut into regions; each has one writer.

The worker writes requests into region 0, each replica its answers into one of its own: so nobody
has to ask for a place. The file is sparse: a region takes memory where it was written, until it is
trimmed. A reader's view ends only with its last use, however deep in a user's array.
(https://man7.org/linux/man-pages/man2/memfd_create.2.html)
"""

from __future__ import annotations

import mmap
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from ctypes import Array, c_char
from typing import Protocol
from weakref import finalize

from headrace.memory.slots import LARGE_BYTES, Slot, arenas
from headrace.memory.spans import Spans, rounded

REGION_BYTES = 1 << 31
SUPPORTED = sys.platform == "linux"

_kinds: dict[int, type[Array[c_char]]] = {}
"""Array types by length: ctypes forgets its own, and making one costs as much as a small copy."""


class Keeper(Protocol):
    """Who cares for the slots of a region in one process."""

    def adopt(self, slot: Slot) -> None:
        """Watch over a new slot until it is gone."""


def make_arena_fd() -> int:
    """Make an arena's file; the caller owns the file descriptor. Raises OSError."""
    fd = os.memfd_create("headrace-arena")
    os.ftruncate(fd, REGION_BYTES)
    return fd


def watch(slot: Slot, told: object, *words: object) -> None:
    """Call `told(*words)` once the slot is gone, from whatever thread it is; not at exit."""
    finalize(slot, told, *words).atexit = False  # type: ignore[arg-type] # any callable


class Arena:
    """One process's sight of the arena."""

    def __init__(self, fd: int, keeper: Keeper) -> None:
        """Own the file behind `fd`; `keeper` cares for regions that have none of their own."""
        self.fd = fd
        self.number = os.fstat(fd).st_ino
        self.keepers: dict[int, Keeper] = {}
        self._keeper = keeper
        self._maps: dict[int, mmap.mmap] = {}
        self._given = {0}
        arenas[self.number] = self

    def __repr__(self) -> str:
        return f"<Arena {self.number} with {len(self._given)} regions>"

    def new_region(self) -> int:
        """Make room for one more writer; only the worker may. Raises OSError."""
        region = min(set(range(len(self._given) + 1)) - self._given)
        end = (region + 1) * REGION_BYTES
        if os.fstat(self.fd).st_size < end:
            os.ftruncate(self.fd, end)
        self._given.add(region)
        self.memory(region)  # now: a mapping holds a file descriptor, and those are counted
        return region

    def drop_region(self, region: int) -> None:
        """Give back all of a region's memory: its writer is gone, and so is every slot in it."""
        self._given.discard(region)
        self.keepers.pop(region, None)
        if self.number in arenas:
            self.memory(region).madvise(mmap.MADV_REMOVE)
            del self._maps[region]

    def memory(self, region: int) -> mmap.mmap:
        """Return a region's memory."""
        found = self._maps.get(region)
        if found is None:
            found = mmap.mmap(self.fd, REGION_BYTES, offset=region * REGION_BYTES)
            found.madvise(mmap.MADV_DONTDUMP)
            self._maps[region] = found
        return found

    def adopt(self, slot: Slot) -> None:
        """See `Mapped`."""
        self.keepers.get(slot.region, self._keeper).adopt(slot)

    def lent(self, slot: Slot) -> None:
        """Watch over a slot as over those of others."""
        self._keeper.adopt(slot)

    def view(self, slot: Slot) -> memoryview:
        """See `Mapped`."""
        length = rounded(slot.size)
        kind = _kinds.get(length)
        if kind is None:
            kind = _kinds[length] = c_char * length
        array = kind.from_buffer(self.memory(slot.region), slot.offset)
        finalize(array, _let_go, slot).atexit = False  # until then, it holds the slot
        return memoryview(array).cast("B")[: slot.size].toreadonly()

    def close(self) -> None:
        """Forget the file; what is still viewed stays mapped until it is not."""
        arenas.pop(self.number, None)
        self._maps.clear()
        os.close(self.fd)


def _let_go(slot: Slot) -> None:
    """Drop the reference that came along."""


class Region:
    """The writer's end of one region, and its keeper. No method but `adopt` is thread-safe."""

    def __init__(self, arena: Arena, number: int) -> None:
        """Write into this region of the arena; nobody else may."""
        self._arena, self._number = arena, number
        self._spans = Spans(REGION_BYTES)
        self._gone: deque[tuple[int, int]] = deque()
        self._taking = -1
        self.stirred: Callable[[], None] | None = None
        """Whom to tell that a slot was taken."""
        arena.keepers[number] = self
        arena.memory(number)

    @property
    def used_bytes(self) -> int:
        """How much is set aside."""
        self._take_back()
        return REGION_BYTES - self._spans.free_bytes

    def adopt(self, slot: Slot) -> None:
        """See `Keeper`. A garbage collection in any thread may be the slot's end: so a deque.

        One that came back over a wire, to its own writer, is lent like any other.
        """
        if slot.offset != self._taking:
            self._arena.lent(slot)
            return
        watch(slot, self._gone.append, (slot.offset, rounded(slot.size)))

    def take(self, size_bytes: int) -> Slot | None:
        """Set a slot aside; None where there is no room: then the body itself is sent."""
        self._take_back()
        start = self._spans.take(rounded(size_bytes))
        if start is None:
            return None
        if self.stirred is not None:
            self.stirred()
        self._taking = start
        slot = Slot(self._arena.number, self._number, start, size_bytes)
        self._taking = -1
        return slot

    def memory(self, slot: Slot) -> memoryview:
        """Return a slot's bytes to write to, for no longer than the slot lives."""
        return memoryview(self._arena.memory(self._number))[slot.offset : slot.offset + slot.size]

    def put_pieces(self, pieces: Sequence[bytes | memoryview], size_bytes: int) -> Slot | None:
        """Write a large body piece by piece, if there is room."""
        slot = self.take(size_bytes)
        if slot is None:
            return None
        memory, at = self._arena.memory(self._number), slot.offset
        for piece in pieces:
            memory[at : at + len(piece)] = piece
            at += len(piece)
        return slot

    def put(self, body: bytes) -> bytes | Slot:
        """Move a large body into shared memory, if there is room; give a small one back."""
        slot = self.take(len(body)) if len(body) > LARGE_BYTES else None
        if slot is None:
            return body
        self._arena.memory(self._number)[slot.offset : slot.offset + slot.size] = body
        return slot

    def trim(self) -> None:
        """Give the memory of what is free back to the system."""
        self._take_back()
        memory = self._arena.memory(self._number)
        for start, length in self._spans.trim():
            memory.madvise(mmap.MADV_REMOVE, start, length)

    def _take_back(self) -> None:
        gone = self._gone
        while gone:
            self._spans.give_back(*gone.popleft())
