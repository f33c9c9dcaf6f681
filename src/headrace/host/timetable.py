"""Do something whenever a timetable in cron's words says so, by this machine's local time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from headrace.core.cron import next_after

LOOK_EVERY_S = 30.0
"""The clock may be set, and a machine may sleep: nobody waits longer without a look."""


def offset_s(unix_s: float) -> float:
    """Return what local time is ahead of UTC by, at that moment."""
    return float(time.localtime(unix_s).tm_gmtoff)


async def follow(text: str, due: Callable[[], None]) -> None:
    """Call `due` each time; what fell into a pause of the machine is made up for once."""
    when = next_after(text, time.time(), offset_s)
    while True:
        left_s = when - time.time()
        if left_s > 0:
            await asyncio.sleep(min(left_s, LOOK_EVERY_S))
            continue
        due()
        when = next_after(text, time.time(), offset_s)
