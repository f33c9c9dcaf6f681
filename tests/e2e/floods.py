"""An open loop of requests: they come when they come, whether or not the earlier are answered."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

STEP_S = 0.01


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as its client saw it."""

    status: int
    sent_at: float
    took_s: float
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Flood:
    """So many requests a second, on as many connections as it takes."""

    port: int
    path: str
    seen: list[Seen] = field(default_factory=list)
    _free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def last(self, seconds: float, per_s: float) -> list[Seen]:
        """Send for so long; return when all are answered."""
        began, sent, asking = time.monotonic(), 0, []
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * per_s)
            asking += [asyncio.create_task(self.ask()) for _ in range(due - sent)]
            sent = due
            await asyncio.sleep(STEP_S)
        await asyncio.gather(*asking)
        return self.seen

    async def ask(self) -> Seen:
        """Send one request on a connection that is free."""
        ends = self._free.pop() if self._free else await self._connect()
        reader, writer = ends
        began = time.monotonic()
        writer.write(f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        seen = Seen(int(head[9:12]), began, time.monotonic() - began, headers, body)
        self._free.append(ends)
        self.seen.append(seen)
        return seen

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        """Leave."""
        for _, writer in self._free:
            writer.close()


def quantile(values: list[float], share: float) -> float:
    """Return the value that this share of the values is not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
