"""Give memory back once it was not used for a while; before that, warm pages are worth more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

QUIET_S = 10.0


class Tidying:
    """Calls `trim` when nothing has stirred for `QUIET_S`; costs nothing while nothing does."""

    def __init__(self, trim: Callable[[], None]) -> None:
        """Take what is to be called, on the running loop."""
        self._trim = trim
        self._loop = asyncio.get_running_loop()
        self._stirred_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def stir(self) -> None:
        """Note that the memory is in use."""
        self._stirred_at = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(QUIET_S, self._look)

    def close(self) -> None:
        """Call nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        left_s = self._stirred_at + QUIET_S - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._trim()
