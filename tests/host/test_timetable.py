"""What a timetable does as time passes: the clock is ours."""

from __future__ import annotations

import asyncio
from time import localtime

import pytest

from headrace.host import timetable

HOUR_S = 3600.0


class Clock:
    """Time of day that moves when it is told to."""

    localtime = staticmethod(localtime)

    def __init__(self) -> None:
        self.now = 1_800_000_000.0 // HOUR_S * HOUR_S + 1

    def time(self) -> float:
        return self.now


def test_it_is_called_at_each_due_time_and_once_for_a_long_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, calls = Clock(), []
    monkeypatch.setattr(timetable, "time", clock)
    monkeypatch.setattr(timetable, "LOOK_EVERY_S", 0.001)

    async def days() -> None:
        following = asyncio.create_task(
            timetable.follow("@hourly", lambda: calls.append(clock.now))
        )
        for step_s, many in ((HOUR_S - 2, 0), (1, 1), (HOUR_S - 1, 1), (1, 2), (50 * HOUR_S, 3)):
            clock.now += step_s
            async with asyncio.timeout(10):
                while len(calls) < many:
                    await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0.001)  # it looks, and finds nothing more to do
            assert len(calls) == many
        following.cancel()

    asyncio.run(days())
