"""An event loop whose time passes only when everything else is done: a day takes a moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, cast


class Planned:
    """A callback that is to run, unless it is cancelled; what it raises passes."""

    def __init__(self, callback: Callable[..., object], words: tuple[Any, ...]) -> None:
        self._callback, self._words = callback, words
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        self._callback(*self._words)


class Clockwork:
    """As much of an event loop as the driver asks for: `call_soon`, `call_later`, `time`."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self._soon: deque[Planned] = deque()
        self._later: list[tuple[float, int, Planned]] = []
        self._numbers = count()

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., object], *words: Any) -> Planned:
        self._soon.append(Planned(callback, words))
        return self._soon[-1]

    def call_later(self, delay_s: float, callback: Callable[..., object], *words: Any) -> Planned:
        planned = Planned(callback, words)
        heappush(self._later, (self._now + delay_s, next(self._numbers), planned))
        return planned

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Be the loop that `asyncio.get_running_loop` finds."""
        asyncio._set_running_loop(cast("asyncio.AbstractEventLoop", self))
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    def one_callback(self) -> bool:
        """Run what is to run soon, one after the other; False when there is nothing more."""
        while self._soon:
            planned = self._soon.popleft()
            if not planned.cancelled:
                planned.run()
                return True
        return False

    def next_moment(self) -> bool:
        """Let time pass until the next timer, and run it; False when there is none."""
        while self._later:
            when, _, planned = heappop(self._later)
            if not planned.cancelled:
                self._now = max(self._now, when)
                planned.run()
                return True
        return False
