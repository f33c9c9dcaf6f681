"""Reads the socket of a replica without an event loop, for whoever waits there, in any thread.

Of all who wait, the replica's own loop among them, one reads for all: it files the answers of
calls through handles, and keeps every other order for the loop, in its order. So no thread is
there to read, and a replica whose code calls nobody pays for nothing. What is read is filed before
anything may interrupt; only the waiting itself can be cut short.
"""

from __future__ import annotations

import select
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

from headrace.errors import Cancelled
from headrace.replica.end import End
from headrace.replica.frames import Answered, AnswerParts, Freed, Order, read_order


class WorkerGone(Exception):
    """The other end of the socket is closed."""


class Reading:
    """Who reads, and what was read for the loop."""

    def __init__(self, end: End) -> None:
        """Nothing is read before somebody waits."""
        self._end = end
        self._kept: deque[Order] = deque()
        self._turn = threading.Lock()
        """Whoever holds it reads."""
        self._others: dict[threading.Lock, None] = {}
        """Who waits meanwhile: each has a lock that wakes it."""
        self._is_over = False
        self._arrivals = select.poll()
        self._arrivals.register(end.sock, select.POLLIN)

    # --- the loop ----------------------------------------------------------------------------

    def orders(self) -> deque[Order]:
        """Wait for orders. Raises WorkerGone at the end of the stream."""
        while not self._kept:
            if self._is_over:
                raise WorkerGone
            if self._turn.acquire(blocking=False):
                try:
                    self._tell_done()
                    self._read()
                finally:
                    self._leave()
            else:
                self._follow(self._has_news, None)
        return self._handed_over()

    def orders_there(self) -> deque[Order]:
        """Return what orders there are, without waiting. Raises WorkerGone."""
        if not self._kept and self._turn.acquire(blocking=False):
            try:
                if self._arrivals.poll(0):
                    self._read()
            finally:
                self._leave()
        if self._is_over and not self._kept:
            raise WorkerGone
        return self._handed_over()

    def _has_news(self) -> bool:
        return bool(self._kept) or self._is_over

    def _handed_over(self) -> deque[Order]:
        kept, self._kept = self._kept, deque()
        return kept

    # --- whoever waits for an answer ---------------------------------------------------------

    def wait(self, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until it is ready; False after the time-out. Raises Cancelled."""
        until = None if timeout_s is None else monotonic() + timeout_s
        with self._end.guard.shield():
            while not ready():
                left_s = None if until is None else until - monotonic()
                if left_s is not None and left_s <= 0:
                    return False
                if self._is_over:
                    raise Cancelled("the server is gone")
                if self._turn.acquire(blocking=False):
                    try:
                        self._lead(left_s)
                    finally:
                        self._leave()
                else:
                    self._follow(ready, left_s)
        return True

    def _lead(self, left_s: float | None) -> None:
        self._tell_done()
        arrivals = select.poll()  # one of its own: a wait that is cut short leaves it as it was
        arrivals.register(self._end.sock, select.POLLIN)
        wait_ms = None if left_s is None else left_s * 1000
        if self._end.guard.window(arrivals.poll, wait_ms):
            self._read()

    def _follow(self, ready: Callable[[], bool], left_s: float | None) -> None:
        bell = threading.Lock()
        bell.acquire()
        self._others[bell] = None
        try:
            if not ready() and self._turn.locked():
                self._end.guard.window(bell.acquire, True, -1.0 if left_s is None else left_s)  # noqa: FBT003 - of C
        finally:
            self._others.pop(bell, None)

    def _leave(self) -> None:
        """Let another one read."""
        self._turn.release()
        while self._others:
            try:
                bell, _ = self._others.popitem()
            except KeyError:
                return  # it left by itself
            bell.release()

    # --- reading -------------------------------------------------------------------------------

    def _read(self) -> None:
        end = self._end
        try:
            records = end.splitter.read(end.sock)
        except ConnectionError:
            records = None
        if records is None:
            self._is_over = True
            return
        for record in records:
            order = read_order(record)
            kind = type(order)
            if kind is Answered or kind is AnswerParts:
                end.words.hear(order)
            elif kind is Freed:
                end.bodies.freed(order.places)
            else:
                self._kept.append(order)

    def _tell_done(self) -> None:
        if done := self._end.bodies.done():
            self._end.send(done)
