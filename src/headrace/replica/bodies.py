"""The replica's side of shared memory: large bodies come in, large answers go out.

What a hook keeps of a body (an array that is a view of it, say) keeps the body's slot: the worker
hears that it is free when the last of it is gone.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from headrace.memory.arena import Arena, Region, watch
from headrace.memory.slots import LARGE_BYTES, Slot, length_of
from headrace.model.envelope import Answer, Fault, Reply
from headrace.model.pickles import Packed, joined, size_of
from headrace.replica.frames import FRAME_BYTES, Finished, Freed, inline_bytes, is_packable, pack

log = logging.getLogger("headrace.replica")


class Bodies:
    """The slots that this replica was lent, and those that it has written."""

    def __init__(self, arena_fd: int) -> None:
        """Map the arena behind `arena_fd`, unless that is negative."""
        self._arena = Arena(arena_fd, self) if arena_fd >= 0 else None
        self._own: Region | None = None
        self._written: dict[int, Slot] = {}
        self._done: deque[tuple[int, int]] = deque()
        self._placing = threading.Lock()
        self.wake: Callable[[], object] | None = None
        """Whom to tell, in whatever thread, that `done` has news."""
        self.ahead: Callable[[int], bytes] = _nothing
        """Tells what is to leave before the end of a call."""

    def use_region(self, region: int) -> None:
        """Write large answers into this region of the arena."""
        if self._arena is not None and region:
            self._own = Region(self._arena, region)

    # --- what was lent -----------------------------------------------------------------------

    def adopt(self, slot: Slot) -> None:
        """See `memory.arena.Keeper`."""
        watch(slot, self._let_go, (slot.region, slot.offset))

    def _let_go(self, place: tuple[int, int]) -> None:
        self._done.append(place)
        if self.wake is not None:
            self.wake()

    def done(self) -> bytearray | bytes:
        """Return the frame that tells the worker which slots are free; empty if none is."""
        if not self._done:
            return b""
        places = [self._done.popleft() for _ in range(len(self._done))]
        return pack(Freed(places))

    # --- what was written --------------------------------------------------------------------

    def finished(self, serial: int, took_s: float, replies: list[Reply]) -> bytearray:
        """Return the frame of a call's end, its large answers in shared memory.

        An answer that cannot travel is replaced by its request's fault; its mates' are sent.
        """
        sent_bytes = 0
        for place, reply in enumerate(replies):
            if type(reply) is bytes:
                if len(reply) <= LARGE_BYTES:
                    continue
                replies[place] = self._moved(reply)
            elif type(reply) is Slot:
                self._remember(reply)
            elif type(reply) is Answer and length_of(reply.body) > LARGE_BYTES:
                replies[place] = replace(reply, body=self._moved(reply.body))
            sent_bytes += inline_bytes(replies[place])
            if sent_bytes > FRAME_BYTES:
                sent_bytes -= inline_bytes(replies[place])
                replies[place] = _no_room(reply, serial, place)
        try:
            frame = pack(Finished(serial, took_s, replies))
        except Exception:
            log.exception("call %d: an answer cannot be sent", serial)
            frame = pack(Finished(serial, took_s, [_packable(reply) for reply in replies]))
        ahead = self.ahead(serial)
        return bytearray(ahead) + frame if ahead else frame

    def freed(self, places: Sequence[tuple[int, int]]) -> None:
        """Take answers back that the worker is done with."""
        for _, offset in places:
            self._written.pop(offset, None)

    def trim(self) -> None:
        """Give the memory of answers that are gone back to the system."""
        if self._own is not None:
            self._own.trim()

    def place(self, pieces: Packed) -> bytes | Slot:
        """Write a packed value where it can travel from; it is to be `remembered` as it leaves."""
        size_bytes = size_of(pieces)
        if self._own is None or size_bytes <= LARGE_BYTES:
            return joined(pieces)
        with self._placing:
            slot = self._own.put_pieces(pieces, size_bytes)
        return joined(pieces) if slot is None else slot

    def lend(self, pieces: Packed) -> bytes | Slot:
        """Write a packed value that leaves now."""
        payload = self.place(pieces)
        if isinstance(payload, Slot):
            self._remember(payload)
        return payload

    def _remember(self, slot: Slot) -> None:
        self._written[slot.offset] = slot

    def _moved(self, body: bytes | Slot) -> bytes | Slot:
        if isinstance(body, Slot):
            self._remember(body)
            return body
        if self._own is None:
            return body
        with self._placing:
            moved = self._own.put(body)
        if isinstance(moved, Slot):
            self._remember(moved)
        return moved


def _nothing(_: int) -> bytes:
    return b""


def _no_room(reply: Reply, serial: int, place: int) -> Fault:
    size = inline_bytes(reply)
    log.error("call %d, request %d of it: no room to send %s bytes", serial, place, f"{size:,}")
    detail = f"the server has no memory left to pass an answer of {size:,} bytes on"
    return Fault(500, "hook_failed", detail)


def _packable(reply: Reply) -> Reply:
    if is_packable(reply):
        return reply
    return Fault(500, "hook_failed", "the answer cannot be sent; see the server's log")
