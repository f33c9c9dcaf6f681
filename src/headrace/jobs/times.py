"""When to look at the store again, and the signs of life that keep what is held: nothing is polled.

Heartbeats come before a sweep, always: a process that was asleep for longer than its leases renews
them before it looks whose have lapsed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from headrace.core.attempts import BEATS_PER_LEASE, Pulse
from headrace.core.jobs import NEVER, UnixS
from headrace.errors import HeadraceError
from headrace.interfaces import Hold, JobStore
from headrace.jobs.trouble import Trouble

LONGEST_SLEEP_S: Final = 60.0
"""While something is due some time: the clock on the wall may be set meanwhile."""
SETTLE_S: Final = 1.0
"""After a change that nobody told the time of."""


class Times:
    """Beats and sweeps, on one event loop."""

    def __init__(
        self, store: JobStore, lease_s: float, trouble: Trouble, due: Callable[[], None]
    ) -> None:
        """`due` is called when there may be jobs to claim whose time has come."""
        self._store, self._trouble, self._due = store, trouble, due
        self._beat_s = lease_s / BEATS_PER_LEASE
        self.holds: Callable[[], Sequence[Hold]] = lambda: ()
        """What is held now."""
        self.heard: Callable[[Hold, Pulse], None] = lambda _hold, _pulse: None
        self._sweep_at: UnixS = NEVER
        self._due_at: UnixS = NEVER
        self._beat_at = NEVER
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Sweep at once, and then when something is due."""
        if self._task is None:
            self._sweep_at = UnixS(0.0)
            self._task = asyncio.get_running_loop().create_task(self._run())

    def look_at(self, when: float) -> None:
        """Sweep at this time at the latest."""
        if when < min(self._sweep_at, self._due_at):
            self._sweep_at = UnixS(when)
            self._stirred.set()

    def look_soon(self) -> None:
        """Sweep when what happens now has settled."""
        self.look_at(time.time() + SETTLE_S)

    def held(self) -> None:
        """Something is held from now on."""
        if self._beat_at == NEVER:
            self._beat_at = UnixS(time.monotonic() + self._beat_s)
            self._stirred.set()

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._sleep()
            if time.monotonic() >= self._beat_at:
                await self._beat()
            if time.time() >= min(self._sweep_at, self._due_at):
                await self._sweep()

    async def _sleep(self) -> None:
        self._stirred.clear()
        sweep_s = min(self._sweep_at, self._due_at) - time.time()
        seconds = min(sweep_s, self._beat_at - time.monotonic())
        if seconds <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == NEVER else min(seconds, LONGEST_SLEEP_S)):
                await self._stirred.wait()

    async def _beat(self) -> None:
        holds = self.holds()
        self._beat_at = UnixS(time.monotonic() + self._beat_s) if holds else NEVER
        if not holds:
            return
        try:
            pulses = await self._store.beat(holds)
        except HeadraceError as error:
            self._trouble.met(error)
        else:
            for hold, pulse in pulses.items():
                self.heard(hold, pulse)

    async def _sweep(self) -> None:
        if self.holds():
            await self._beat()
        self._sweep_at = self._due_at = NEVER
        try:
            swept = await self._store.sweep()
        except HeadraceError as error:
            self._sweep_at = UnixS(time.time() + self._trouble.met(error))
            return
        self._due_at = swept.due_at
        self.look_at(swept.again_at)
        self._trouble.over()
        self._due()
