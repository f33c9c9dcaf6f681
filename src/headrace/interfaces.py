"""The few promises the rooms make to one another. Protocols only, no logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from headrace.core.messages import ReplicaId, Serial, Why

Envelope_contra = TypeVar("Envelope_contra", contravariant=True)
Reply_contra = TypeVar("Reply_contra", contravariant=True)
Part_contra = TypeVar("Part_contra", contravariant=True)
News_contra = TypeVar("News_contra", contravariant=True)
Word_contra = TypeVar("Word_contra", contravariant=True)

Clock = Callable[[], float]
"""Seconds on a clock that never goes back, the same for every process of this machine."""


class Inbox(Protocol[Reply_contra, Part_contra, News_contra]):
    """Where a replica reports. Every method is called on the event loop's thread only."""

    def ready(self, replica: ReplicaId) -> None:
        """Report that the model is loaded."""

    def progress(self, replica: ReplicaId, done: float, total: float, what: str) -> None:
        """Report how far the loading has come."""

    def finished(
        self, replica: ReplicaId, serial: Serial, took_s: float, replies: Sequence[Reply_contra]
    ) -> None:
        """Report the end of a call: one reply per request, in the call's order."""

    def parts(
        self, replica: ReplicaId, serial: Serial, parts: Sequence[tuple[int, Part_contra]]
    ) -> None:
        """Report parts of streamed answers, each with its place; the first is `Opened`."""

    def ended_one(
        self, replica: ReplicaId, serial: Serial, place: int, reply: Reply_contra
    ) -> None:
        """Report the end of one answer of a call that goes on; `finished` says it again."""

    def returned(self, replica: ReplicaId, serial: Serial) -> None:
        """Report a recalled call that was not run."""

    def gone(self, replica: ReplicaId, why: Why, claimed: Serial, words: str) -> None:
        """Report the end of the replica; nothing comes from it after this."""

    def said(self, replica: ReplicaId, line: str) -> None:
        """Report a line the replica printed."""

    def told(self, replica: ReplicaId, news: News_contra) -> None:
        """Pass on what its code asks of others, or tells of itself: see `replica.frames.News`."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of replica can do beyond its duties; `testing.check_replica` holds it to this."""

    interrupts: bool
    """`interrupt` ends a sync hook; an async one is ended by `stop`, always."""
    survives_crash: bool
    """User code runs apart: a crash is heard as `gone`, and what it prints as `said`."""


class Replica(Protocol[Envelope_contra, Word_contra]):
    """One loaded model, wherever it runs. No method blocks the event loop.

    The replica owes every call that was sent exactly one of `finished`, `returned` or, with all the
    others, `gone`. After `gone` it owes nothing.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, the same for every replica of its kind."""

    @property
    def id(self) -> ReplicaId:
        """Its name, never used again."""

    @property
    def pid(self) -> int:
        """The process it runs in."""

    def send(self, serial: Serial, envelopes: Sequence[Envelope_contra]) -> None:
        """Add a call; it may leave only with `flush`."""

    def flush(self) -> None:
        """Let everything that was added leave, in one write."""

    def recall(self, serial: Serial) -> Serial | None:
        """Take back what is not begun of the calls from `serial` on.

        Return the first serial that is the caller's again at once, or None where only `returned`
        will tell.
        """

    def stop(self, serial: Serial, place: int) -> None:
        """Give up on one request of a call as soon as possible; the call still ends."""

    def interrupt(self, serial: Serial) -> None:
        """Raise Cancelled in the sync hook that runs this call, at once; the call still ends.

        Nothing where the kind does not interrupt; no other call is ever met.
        """

    def grant(self, serial: Serial, place: int, parts: int) -> None:
        """Allow so many more parts of a streamed answer, beyond the core/credit.WINDOW of each."""

    def tell(self, word: Word_contra) -> None:
        """Add a word for its code, see `replica.frames.Word`; it may leave only with `flush`."""

    def evict(self) -> None:
        """Finish the calls it has, tear down, and end; one that still loads ends at once."""

    def abort(self) -> None:
        """Print where every thread stands, where that can be, and end in a moment, as asked."""

    def kill(self, why: Why = Why.ASKED, words: str = "") -> None:
        """End at once; `gone` tells this `why`, and these words where the replica left none."""
