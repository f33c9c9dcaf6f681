"""A load client: many connections in one process, each answer judged."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

LABEL = "everybody-sends-the-same"


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    mixed_up: list[Any] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    pids: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def is_clean(self) -> bool:
        return set(self.statuses) == {200} and not self.mixed_up and not self.broken


@dataclass(slots=True)
class Crowd:
    """Clients that each ask again and again, with a nonce of their own in each request."""

    port: int
    path: str
    clients: int
    tally: Tally = field(default_factory=Tally)
    _nonces: itertools.count[int] = field(default_factory=itertools.count)
    _over: bool = False

    async def ask_for(self, seconds: float) -> Tally:
        """Ask until the time is over."""
        asking = asyncio.create_task(self.ask_until_stopped())
        await asyncio.sleep(seconds)
        self.stop()
        await asking
        return self.tally

    async def ask_until_stopped(self) -> None:
        await asyncio.gather(*(self._be_a_client(number) for number in range(self.clients)))

    def stop(self) -> None:
        self._over = True

    async def answered(self, more: int, within_s: float = 10.0) -> None:
        """Return once so many more answers have come."""
        goal = self.tally.total + more
        end = time.monotonic() + within_s
        while self.tally.total < goal:
            assert time.monotonic() < end, f"{self.tally.total} of {goal} answers: {self.tally}"
            await asyncio.sleep(0.01)

    async def _be_a_client(self, number: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                while not self._over:
                    nonce = f"{number}-{next(self._nonces)}"
                    writer.write(self._request(nonce))
                    self._judge(nonce, *await read_response(reader))
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            self.tally.broken.append(repr(error))

    def _request(self, nonce: str) -> bytes:
        body = json.dumps({"nonce": nonce}).encode()
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"X-Request-Id: {LABEL}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _judge(self, nonce: str, status: int, body: bytes) -> None:
        self.tally.statuses[status] += 1
        if status != 200:
            self.tally.broken.append(body.decode())
            return
        said = json.loads(body)
        self.tally.pids[said["pid"]] += 1
        if not said["predicted"] == said["decoded"] == said["encoded"] == nonce:
            self.tally.mixed_up.append((nonce, said))


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one response that has a Content-Length. Raises EOFError."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    return int(head[9:12]), await reader.readexactly(length)
