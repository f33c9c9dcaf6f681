"""How far jobs are, on the way from their code to the worker: ten times a second, and at the end.

A loop may tell of every step it takes. What is overtaken within a tenth of a second is dropped;
what is left at the end of a call leaves before that end does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final

from headrace.replica.frames import JobProgress, News, pack

EVERY_S: Final = 0.1
Later = Callable[[float, Callable[[], None]], object]
"""Calls something after so many seconds, in any thread."""


class Progressing:
    """All of one replica."""

    def __init__(self, tell: Callable[[News], object], later: Later) -> None:
        """`tell` may be called in any thread."""
        self._tell, self._later = tell, later
        self._door = threading.Lock()
        self._told_at: dict[tuple[int, int], float] = {}
        self._waiting: dict[tuple[int, int], JobProgress] = {}
        self._is_due = False

    def told(self, serial: int, place: int, done: float, total: float, note: str) -> None:
        """Take a word of the code that runs this request."""
        at, news = (serial, place), JobProgress(serial, place, done, total, note)
        now = monotonic()
        with self._door:
            is_early = now < self._told_at.get(at, -inf) + EVERY_S
            is_first = is_early and not self._is_due
            if is_early:
                self._waiting[at], self._is_due = news, True
            else:
                self._told_at[at] = now
                self._waiting.pop(at, None)
        if not is_early:
            self._tell(news)
        elif is_first:
            self._later(EVERY_S, self._tell_waiting)

    def last_words(self, serial: int) -> list[JobProgress]:
        """Return what is still to be told of a call that has ended, and forget it."""
        with self._door:
            for at in [at for at in self._told_at if at[0] == serial]:
                del self._told_at[at]
            left = [at for at in self._waiting if at[0] == serial]
            return [self._waiting.pop(at) for at in left]

    def frames(self, serial: int) -> bytes:
        """Return these as frames."""
        if not self._told_at:
            return b""
        return b"".join(map(pack, self.last_words(serial)))

    def _tell_waiting(self) -> None:
        now = monotonic()
        with self._door:
            waiting, self._waiting, self._is_due = self._waiting, {}, False
            self._told_at |= dict.fromkeys(waiting, now)
        for news in waiting.values():
            self._tell(news)


def by_timer(seconds: float, act: Callable[[], None]) -> None:
    """See `Later`: where there is no event loop."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
