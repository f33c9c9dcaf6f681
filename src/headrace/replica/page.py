"""The page of memory that a worker and one replica share: claims, recalls, stops, no message.

Before a call the replica writes `claimed`, then reads `recalled_from`; to recall, the worker writes
`recalled_from`, then reads `claimed`. Whoever is second sees the other's word, so no call is both
run and taken back. A lock operation between the two is the fence this needs on x86; on other
machines the worker does not trust its reading and waits for the replica to hand each call over.
A call is stopped in the same way: the replica claims, arms and looks for the order, the worker
writes the order and reads the claim; the signal that follows is for a call that has begun. Of
several streams under way the one whose step runs is armed, and the worker reads that word too.
"""

from __future__ import annotations

import mmap
import os
import platform
import tempfile
import threading
import time

SIZE_BYTES = 4096
# In words of 8 bytes: each on a cache line of its own.
CLAIMED, RECALLED_FROM, SINCE, ARMED, STOPS = 0, 8, 16, 24, 32
MOST_STOPS = 256  # orders that stand at once; of streams many may be given up in one turn
NEVER = 2**63 - 1
TRUSTED = platform.machine() in ("x86_64", "AMD64")


def make_page_fd() -> int:
    """Make the memory of one page; the caller owns the file descriptor."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("headrace-page")
    else:  # macOS: an unlinked file does as well
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, SIZE_BYTES)
    return fd


class Page:
    """Either end of the page."""

    def __init__(self, fd: int) -> None:
        """Map the page behind `fd`, which stays the caller's."""
        self._map = mmap.mmap(fd, SIZE_BYTES)
        self._words = memoryview(self._map).cast("Q")
        self._times = memoryview(self._map).cast("d")
        fence = threading.Lock()
        self._acquire, self._release = fence.acquire, fence.release

    # --- the replica's side ------------------------------------------------------------

    def claim(self, serial: int) -> bool:
        """Begin a call, unless it was taken back."""
        words = self._words
        words[CLAIMED] = serial
        self._times[SINCE] = time.monotonic()
        self._acquire()
        self._release()
        return words[RECALLED_FROM] > serial

    def arm(self, serial: int) -> bool:
        """Let a stop reach this call from now on; tell if there was none before."""
        words = self._words
        words[ARMED] = serial
        return words[_stop_of(serial)] != serial

    def arm_again(self, serial: int) -> bool:
        """Let a stop reach a call that goes on, one of several; tell if there was none before."""
        words = self._words
        words[ARMED] = serial
        self._acquire()  # no claim goes before it
        self._release()
        return words[_stop_of(serial)] != serial

    @property
    def armed(self) -> int:
        """The call that a stop can reach, or 0."""
        return self._words[ARMED]

    def disarm(self) -> None:
        """Let no stop reach anything."""
        self._words[ARMED] = 0

    def stops_now(self) -> bool:
        """Tell if the armed call is one to be stopped; disarm it, for once is enough."""
        words = self._words
        armed = words[ARMED]
        if not armed or armed != words[_stop_of(armed)]:
            return False
        words[ARMED] = 0
        return True

    # --- the worker's side -------------------------------------------------------------

    def recall(self, serial: int) -> int:
        """Take back every call from `serial` on; return the first one that was not begun."""
        words = self._words
        words[RECALLED_FROM] = serial
        self._acquire()
        self._release()
        return max(serial, words[CLAIMED] + 1)

    def lift(self) -> None:
        """Let calls run again: every recalled one has been handed over."""
        self._words[RECALLED_FROM] = NEVER

    def stop(self, serial: int) -> bool:
        """Order a call to stop; tell if its replica needs a signal to look: it may run the call."""
        words = self._words
        words[_stop_of(serial)] = serial
        self._acquire()
        self._release()
        return not TRUSTED or serial in (words[CLAIMED], words[ARMED])

    @property
    def claimed(self) -> int:
        """The last call that was begun."""
        return self._words[CLAIMED]

    @property
    def since(self) -> float:
        """When it began, in seconds on the monotonic clock."""
        return self._times[SINCE]

    def close(self) -> None:
        """Unmap it."""
        self._words.release()
        self._times.release()
        self._map.close()


def _stop_of(serial: int) -> int:
    return STOPS + serial % MOST_STOPS
