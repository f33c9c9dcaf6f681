"""An inbox that writes down everything a replica reports, and what it should not have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headrace.core.messages import ReplicaId, Serial, Why
from headrace.model.envelope import Part, Reply
from headrace.replica.frames import News

PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Gone:
    """How a replica ended."""

    why: Why
    claimed: Serial
    words: str


@dataclass(slots=True)
class Ledger:
    """See `interfaces.Inbox`. `broken` lists the promises that a report broke as it came."""

    readied: int = 0
    answers: dict[Serial, list[Reply]] = field(default_factory=dict)
    returns: list[Serial] = field(default_factory=list)
    streams: dict[tuple[Serial, int], list[Part]] = field(default_factory=dict)
    early: dict[tuple[Serial, int], Reply] = field(default_factory=dict)
    endings: list[Gone] = field(default_factory=list)
    steps: list[tuple[float, float, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    told_of: list[News] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self, replica: ReplicaId) -> None:
        """Write it down."""
        self._note(f"{replica} is ready", once=not self.readied)
        self.readied += 1

    def progress(self, replica: ReplicaId, done: float, total: float, what: str) -> None:
        """Write it down."""
        self._note(f"{replica} is loading", once=not self.readied)
        self.steps.append((done, total, what))

    def finished(
        self, replica: ReplicaId, serial: Serial, took_s: float, replies: Sequence[Reply]
    ) -> None:
        """Write it down."""
        self._note(f"{replica} finished {serial}", once=serial not in self.ended and took_s >= 0)
        self.answers[serial] = list(replies)

    def parts(self, replica: ReplicaId, serial: Serial, parts: Sequence[tuple[int, Part]]) -> None:
        """Write it down."""
        self._note(f"{replica} sent parts of {serial}", once=serial not in self.ended)
        for place, part in parts:
            self.streams.setdefault((serial, place), []).append(part)

    def ended_one(self, replica: ReplicaId, serial: Serial, place: int, reply: Reply) -> None:
        """Write it down."""
        self._note(f"{replica} ended {place} of {serial}", once=serial not in self.ended)
        self.early[serial, place] = reply

    def returned(self, replica: ReplicaId, serial: Serial) -> None:
        """Write it down."""
        self._note(f"{replica} returned {serial}", once=serial not in self.ended)
        self.returns.append(serial)

    def gone(self, replica: ReplicaId, why: Why, claimed: Serial, words: str) -> None:
        """Write it down."""
        self._note(f"{replica} is gone", once=True)
        self.endings.append(Gone(why, claimed, words))

    def told(self, replica: ReplicaId, news: News) -> None:
        """Write it down."""
        self._note(f"{replica} told {type(news).__name__}", once=not self.endings)
        self.told_of.append(news)

    def said(self, replica: ReplicaId, line: str) -> None:
        """Write it down."""
        self._note(f"{replica} said {line!r}", once=True)
        self.lines.append(line)

    @property
    def ended(self) -> list[Serial]:
        """The calls that finished or came back."""
        return [*self.answers, *self.returns]

    async def until(self, true: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Return once a report made it true. Raises AssertionError when it takes too long."""
        try:
            async with asyncio.timeout(within_s):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {within_s} s; heard: {self}") from None

    def _note(self, report: str, *, once: bool) -> None:
        if self.endings:
            self.broken.append(f"{report}, after it was gone")
        elif not once:
            self.broken.append(f"{report}, out of turn or twice")
        self._news.set()
