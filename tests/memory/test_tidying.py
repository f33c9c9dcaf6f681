"""Memory is given back after a silence, once."""

from __future__ import annotations

import asyncio

import pytest

from headrace.memory import tidying
from headrace.memory.tidying import Tidying


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time passes only by its own timers."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Let the timers of the next seconds ring, each at its time."""
        end = self.now + seconds
        while (due := min((t.when() for t in self._scheduled), default=end + 1)) <= end:  # type: ignore[attr-defined]
            self.now = due
            self.run_until_complete(asyncio.sleep(0))
        self.now = end


def test_it_waits_for_a_silence() -> None:
    loop, trims = Clock(), list[float]()

    async def made() -> Tidying:
        return Tidying(lambda: trims.append(loop.now))

    tidy = loop.run_until_complete(made())
    tidy.stir()
    loop.pass_time(tidying.QUIET_S * 0.9)
    tidy.stir()
    loop.pass_time(tidying.QUIET_S * 0.9)
    assert not trims
    loop.pass_time(tidying.QUIET_S * 10)
    assert trims == [pytest.approx(tidying.QUIET_S * 1.9)]
    tidy.stir()
    tidy.close()
    loop.pass_time(tidying.QUIET_S * 10)
    assert len(trims) == 1
    loop.close()
