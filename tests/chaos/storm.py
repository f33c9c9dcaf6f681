"""Bad weather: replicas are killed and stopped, some clients leave before they are answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.e2e.serving import Program, status

LONGEST_STOP_S = 1.0


@dataclass(slots=True)
class Storm:
    """Kills and stops replicas of a server by chance, never the last one that is ready."""

    server: Program
    chance: Random
    deeds: Counter[str] = field(default_factory=Counter)

    async def rage(self, seconds: float, every_s: float) -> None:
        """Go on for so long; whatever was stopped goes on at the end."""
        stopped: list[asyncio.Task[None]] = []
        end = asyncio.get_running_loop().time() + seconds
        try:
            while asyncio.get_running_loop().time() < end:
                victim = await self._choose()
                if victim is not None and self.chance.random() < 0.5:
                    self._signal(victim, signal.SIGKILL)
                elif victim is not None:
                    stopped.append(asyncio.create_task(self._stop_for_a_while(victim)))
                await asyncio.sleep(every_s * self.chance.uniform(0.5, 1.5))
        finally:
            await asyncio.gather(*stopped)

    async def _choose(self) -> int | None:
        told = (await asyncio.to_thread(status, self.server))["deployments"]
        ready = [
            [copy["pid"] for copy in told[name]["replicas"] if copy["state"] == "ready"]
            for name in ("sturdy", "batched")
        ]
        pids = [pid for several in ready if len(several) > 1 for pid in several]
        return self.chance.choice(pids) if pids else None

    async def _stop_for_a_while(self, pid: int) -> None:
        self._signal(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self.chance.uniform(0.05, LONGEST_STOP_S))
        finally:
            self._signal(pid, signal.SIGCONT)

    def _signal(self, pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            self.deeds[number.name] += 1


@dataclass(slots=True)
class Leavers:
    """Clients that ask and go before they are answered."""

    port: int
    path: str
    clients: int
    chance: Random
    left: int = 0
    _over: bool = False

    async def ask_and_leave(self) -> None:
        await asyncio.gather(*(self._be_a_client() for _ in range(self.clients)))

    def stop(self) -> None:
        self._over = True

    async def _be_a_client(self) -> None:
        while not self._over:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            body = json.dumps({"nonce": f"left {self.left}"}).encode()
            head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            cut = self.chance.choice([len(body), len(body), 3])  # some leave in the middle of it
            writer.write(head.encode() + body[:cut])
            await asyncio.sleep(self.chance.uniform(0, 0.02))
            writer.transport.abort()
            self.left += 1
