"""A stop on its event loop: carries core/draining's notice, and counts what the stop finds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from headrace.core.draining import Tally, tally
from headrace.runtime.driver import Driver


class Departure:
    """The end of one driver's work."""

    def __init__(self, driver: Driver, let_go: Callable[[], None]) -> None:
        """`let_go` is called when requests are refused from then on."""
        self._driver, self._let_go = driver, let_go
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight = 0

    def ask(self, grace_s: float, delay_s: float = 0.0) -> None:
        """Serve on for `delay_s`, then end within `grace_s`; asked again, hurry."""
        now = time.monotonic()
        wait_s = self._driver.engine.shutdown.notice.ask(delay_s, now) - now
        if self._timer is not None:
            self._timer.cancel()
        if wait_s > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_s, self._drain, grace_s)
        else:
            self._drain(grace_s)

    def _drain(self, grace_s: float) -> None:
        self._in_flight = max(self._in_flight, self.live())
        self._driver.stop(grace_s)
        self._let_go()

    def live(self) -> int:
        """Return how many requests are under way."""
        return len(self._driver.engine.tickets)

    @property
    def tally(self) -> Tally:
        """How the stop stands."""
        return tally(self._in_flight, self._driver.engine.shutdown.cut or self.live())
