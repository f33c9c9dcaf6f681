"""Where a check plays: a replica, its ledger, a folder for marks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from headrace.core.messages import ReplicaId, Serial
from headrace.interfaces import Inbox, Replica
from headrace.memory.slots import view_of
from headrace.model.api import Model
from headrace.model.deployment import options_of
from headrace.model.envelope import Answer, Closed, Envelope, Fault, Part, Reply
from headrace.model.source import source_of
from headrace.replica.frames import Load, News, Word
from headrace.testing.ledger import Gone, Ledger

Make = Callable[[Load, Inbox[Reply, Part, News]], Replica[Envelope, Word]]
"""Starts a replica that reports to the inbox."""


@dataclass(slots=True)
class Stage:
    """One replica under check and all that it reported."""

    make: Make
    folder: Path
    ledger: Ledger = field(default_factory=Ledger)
    replica: Replica[Envelope, Word] | None = None
    last: int = 0

    @property
    def mark(self) -> Path:
        """A file in which a model leaves marks."""
        return self.folder / "mark"

    def start(self, model: type[Model]) -> Replica[Envelope, Word]:
        """Start a replica; its model gets the path of the mark as its device."""
        name = ReplicaId("subject/1")
        load = Load("subject", name, source_of(model), options_of(model), str(self.mark))
        self.replica = self.make(load, self.ledger)
        assert self.replica.id == name
        return self.replica

    async def load(self, model: type[Model]) -> Replica[Envelope, Word]:
        """Start a replica and wait until it is ready."""
        replica = self.start(model)
        await self.ledger.until(lambda: bool(self.ledger.readied or self.ledger.endings))
        assert not self.ledger.endings, self.ledger
        return replica

    def send(self, *bodies: Any) -> Serial:
        """Send one call with a request for each body; it leaves with the next flush."""
        assert self.replica is not None
        self.last += 1
        serial = Serial(self.last)
        self.replica.send(serial, [envelope(body) for body in bodies])
        return serial

    def send_now(self, *bodies: Any) -> Serial:
        """Send one call with a request for each body, at once."""
        assert self.replica is not None
        serial = self.send(*bodies)
        self.replica.flush()
        return serial

    def ask(self, wish: str, value: Any = None) -> Serial:
        """Send a call of one wish, at once."""
        return self.send_now({"wish": wish, "value": value})

    async def answer(self, serial: Serial) -> list[Any]:
        """Return what the requests of a call came to: values, and faults as they are."""
        await self.ledger.until(lambda: serial in self.ledger.answers or bool(self.ledger.endings))
        assert serial in self.ledger.answers, self.ledger
        return [value_of(reply) for reply in self.ledger.answers[serial]]

    async def gone(self, within_s: float = 10.0) -> Gone:
        """Return how the replica ended."""
        await self.ledger.until(lambda: bool(self.ledger.endings), within_s)
        return self.ledger.endings[0]

    async def marked(self, suffix: str = "", within_s: float = 10.0) -> None:
        """Return once a model has left its mark."""
        file = self.mark.with_name(self.mark.name + suffix)
        end = time.monotonic() + within_s
        while not file.exists():
            assert time.monotonic() < end, f"no {file.name} within {within_s} s; {self.ledger}"
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End the replica, if it still lives, and hear nothing more from it."""
        if self.replica is not None:
            if not self.ledger.endings:
                self.replica.kill()
            await self.gone()
            await asyncio.sleep(0)


Check = Callable[[Stage], Awaitable[None]]


def envelope(body: Any) -> Envelope:
    """Wrap a body as the front door does."""
    return Envelope("check", inf, 1, "application/json", msgspec.json.encode(body))


def value_of(reply: Reply) -> Any:
    """Read a reply as its client would; a fault stays one."""
    if isinstance(reply, Fault | Closed):
        return reply
    return msgspec.json.decode(view_of(reply.body if isinstance(reply, Answer) else reply))
