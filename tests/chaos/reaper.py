"""A replica dies every second, of each deployment in turn; now and then one is stopped first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from tests.chaos.wire import fetch

STOPPING = 0.4
LONGEST_STOP_S = 1.5
LOOKING_EVERY_S = 0.3


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL: when, of what; `state` is what the server said of the replica just before."""

    when: float
    deployment: str
    pid: int
    state: str
    was_stopped: bool = False


@dataclass(slots=True)
class Reaper:
    """Kills whoever's turn it is, the last replica of a deployment and a loading one too."""

    port: int
    chance: Random
    kills: list[Kill] = field(default_factory=list)
    stops: int = 0
    _turns: list[str] = field(default_factory=list)
    _seen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    async def reap(self, seconds: float, every_s: float = 1.0) -> None:
        """Go on for so long; whoever is still stopped then goes on too."""
        loop, stopped = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        await self._look()
        looking, begin = asyncio.create_task(self._look_on()), loop.time()
        try:
            for number in range(1, round(seconds / every_s) + 1):
                await asyncio.sleep(begin + number * every_s - loop.time())
                self._kill(self._choose())
                if self.chance.random() < STOPPING:
                    stopped.add(asyncio.create_task(self._stop(self._choose())))
        finally:
            looking.cancel()
            await asyncio.gather(looking, *stopped, return_exceptions=True)

    async def _look_on(self) -> None:
        """Keep in view which replicas there are: a busy server takes its time to tell."""
        while True:
            await asyncio.sleep(LOOKING_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        told = msgspec.json.decode(await fetch(self.port, "/-/health"))
        self._seen = {name: each["replicas"] for name, each in told["deployments"].items()}

    def kills_of(self, deployment: str, began: float, ended: float) -> int:
        """Count the kills in one deployment between two moments."""
        return sum(
            kill.deployment == deployment and began <= kill.when <= ended for kill in self.kills
        )

    @property
    def by_deployment(self) -> Counter[str]:
        return Counter(kill.deployment for kill in self.kills)

    def _choose(self) -> Kill | None:
        """Aim at a replica of the deployment whose turn it is, unless it has none."""
        if not self._turns:
            self._turns = self.chance.sample(sorted(self._seen), len(self._seen))
        name, gone = self._turns.pop(), {kill.pid for kill in self.kills}
        copies = [copy for copy in self._seen[name] if copy["pid"] and copy["pid"] not in gone]
        if not copies:
            return None
        copy = self.chance.choice(copies)
        return Kill(time.monotonic(), name, copy["pid"], copy["state"])

    def _kill(self, aim: Kill | None, *, was_stopped: bool = False) -> None:
        if aim is None or aim.pid in {kill.pid for kill in self.kills}:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(aim.pid, signal.SIGKILL)
            now = time.monotonic()
            self.kills.append(Kill(now, aim.deployment, aim.pid, aim.state, was_stopped))

    async def _stop(self, aim: Kill | None) -> None:
        """Stop a replica for a while; then it goes on, or is killed as it stands."""
        if aim is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(aim.pid, signal.SIGSTOP)
            self.stops += 1
        try:
            await asyncio.sleep(self.chance.uniform(0.05, LONGEST_STOP_S))
        finally:
            if self.chance.random() < 1 / 3:
                self._kill(aim, was_stopped=True)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(aim.pid, signal.SIGCONT)
