"""Clients that ask every deployment by turns; some leave, the others count what they got."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

import msgspec

from tests.chaos.telling import FORMS, WAYS, Ask, Listener, wrong_with
from tests.chaos.wire import Cut, Head, Wire, dial

MOST_ITEMS = 30
LEAVING = 0.1
LONGEST_WAIT_S = 90.0  # beyond every time limit of the server: then it will never come
BROKEN = (OSError, EOFError, TimeoutError, msgspec.DecodeError)


class Leave(Enum):
    """When a client goes."""

    IN_THE_BODY = "in the body"
    BEFORE_THE_ANSWER = "before the answer"
    POLITELY = "before the answer, with a FIN"
    IN_THE_STREAM = "in the stream"


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that ended in `replica_lost`: where, and from when to when it was there."""

    ask: Ask
    began: float
    ended: float
    pids: frozenset[int] = frozenset()
    """Where its items came from, if there were any."""


@dataclass(slots=True)
class Log:
    """What all clients saw together."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By deployment, of the requests whose clients stayed."""
    left: Counter[tuple[str, Leave]] = field(default_factory=Counter)
    streams: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How those ended that began."""
    attempts: Counter[int] = field(default_factory=Counter)
    lost: list[Lost] = field(default_factory=list)
    torn: list[Lost] = field(default_factory=list)
    """Streams that were aborted."""
    wrong: list[str] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    longest_s: dict[str, float] = field(default_factory=dict)

    def took(self, name: str, seconds: float) -> None:
        self.longest_s[name] = max(round(seconds, 2), self.longest_s.get(name, 0.0))


@dataclass(slots=True)
class Visitors:
    """So many clients on so many connections, by a seed."""

    port: int
    clients: int
    seed: int
    log: Log = field(default_factory=Log)
    _over: bool = False

    async def visit(self) -> None:
        """Ask until stopped; then each waits for its last answer."""
        await asyncio.gather(*(self._visitor(number) for number in range(self.clients)))

    def stop(self) -> None:
        self._over = True

    async def _visitor(self, number: int) -> None:
        chance = Random(f"{self.seed}/{number}")
        turns = (self._ask(f"{number}-{turn}", chance) for turn in itertools.count())
        while not self._over:
            wire = await dial(self.port)
            try:
                await self._stay(Visit(wire, self.log, chance), turns)
            finally:
                wire.writer.close()

    async def _stay(self, visit: Visit, asks: Iterator[Ask]) -> None:
        """Ask one after the other while the connection lasts."""
        for ask in asks:
            if self._over or not await visit.ask(ask):
                return

    def _ask(self, nonce: str, chance: Random) -> Ask:
        return Ask(chance.choice(WAYS), nonce, chance.randint(1, MOST_ITEMS), chance.choice(FORMS))


@dataclass(slots=True)
class Visit:
    """One connection of one client."""

    wire: Wire
    log: Log
    chance: Random

    async def ask(self, ask: Ask) -> bool:
        """Ask to the end, again after a refusal; return whether the connection may be used on."""
        if self.chance.random() < LEAVING:
            await self._ask_and_leave(ask)
            return False
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                while (wait_s := await self._ask_once(ask)) is not None:
                    await asyncio.sleep(wait_s * self.chance.uniform(1, 1.5))
        except BROKEN as error:
            self.log.wrong.append(f"{ask.way.name} {ask.nonce}: {error!r}")
            return False
        reader = self.wire.reader
        return not reader.at_eof() and reader.exception() is None

    async def _ask_once(self, ask: Ask) -> float | None:
        """Return how long to wait before it may be asked again, if it was refused."""
        began = time.monotonic()
        self._send(ask)
        head = await self._head(ask)
        if not head.is_whole:
            await self._listen(ask, began)
            self.log.took(ask.way.name, time.monotonic() - began)
            return None
        body = msgspec.json.decode(await self.wire.body(head))
        self.log.statuses[ask.way.name, head.status] += 1
        self.log.took(ask.way.name, time.monotonic() - began)
        match head.status:
            case 200:
                self._judge(ask, body)
            case 503 if body["code"] == "queue_full" and int(head.headers[b"retry-after"]) > 0:
                return float(body["retry_after_s"])
            case 500 if body["code"] == "replica_lost":
                self.log.lost.append(Lost(ask, began, time.monotonic()))
            case _:
                self.log.wrong.append(f"{ask.way.name} {ask.nonce}: {body}")
        return None

    def _send(self, ask: Ask, cut: int | None = None) -> None:
        headers = f"X-Request-Id: {ask.nonce}\r\nAccept: {ask.form}\r\n"
        self.wire.send(f"/{ask.way.name}", ask.body, headers, cut)

    async def _head(self, ask: Ask) -> Head:
        head = await self.wire.head()
        if head.headers[b"x-request-id"] != ask.nonce.encode():
            self.log.wrong.append(f"{ask.nonce} got the answer of {head.headers}")
        return head

    def _judge(self, ask: Ask, body: Any) -> None:
        said = msgspec.json.decode(body) if isinstance(body, str) else body
        if ask.way.streams:
            self.log.wrong.append(f"{ask.nonce} got no stream: {body}")
        elif wrong := wrong_with(ask, said, 0):
            self.log.wrong.append(wrong)
        self.log.attempts[said["attempt"]] += 1
        self.log.pids.add(said["pid"])

    async def _listen(self, ask: Ask, began: float) -> None:
        """Hear a stream to its end."""
        listener, cleanly = Listener(ask), True
        try:
            async for chunk in self.wire.chunks():
                listener.hear(chunk)
        except (Cut, ConnectionError):
            cleanly = False
        end = listener.end(cleanly=cleanly)
        problem = listener.problem
        if problem is not None and (problem["code"], problem["request_id"]) != (
            "replica_lost",
            ask.nonce,
        ):
            listener.wrong.append(f"{ask.nonce} was told {problem}")
        if end != "complete":
            self.log.torn.append(Lost(ask, began, time.monotonic(), frozenset(listener.pids)))
        self.log.statuses[ask.way.name, 200 if end == "complete" else 500] += 1
        self.log.streams[ask.way.name, end] += 1
        self.log.attempts.update(listener.attempts)
        self.log.pids |= listener.pids
        self.log.wrong += listener.wrong

    # --- leaving -------------------------------------------------------------------------------

    async def _ask_and_leave(self, ask: Ask) -> None:
        leave = self.chance.choice(list(Leave))
        if leave is Leave.IN_THE_BODY:
            self._send(ask, cut=3)
        else:
            self._send(ask)
        try:
            if leave is Leave.IN_THE_STREAM:
                async with asyncio.timeout(LONGEST_WAIT_S):
                    await self._listen_for_a_while(ask)
            else:
                await asyncio.sleep(self.chance.uniform(0, 0.03))
        except BROKEN:  # its replica died first; whoever stayed counts that
            pass
        if leave is not Leave.POLITELY:
            self.wire.leave()
        self.log.left[ask.way.name, leave] += 1

    async def _listen_for_a_while(self, ask: Ask) -> None:
        """Hear the start of an answer, and a part of a stream."""
        head, listener = await self._head(ask), Listener(ask)
        enough = self.chance.randrange(ask.count)
        if head.is_whole:
            return
        async for chunk in self.wire.chunks():
            listener.hear(chunk)
            if listener.items >= enough:
                break
        self.log.wrong += listener.wrong
