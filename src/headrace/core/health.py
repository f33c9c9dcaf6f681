"""What is known of a replica's health, and when to ask it again.

A replica that answers that it is not well is replaced as if it were one too many: it ends its
calls, gets no others, and the next one is started beside it. One that does not answer at all hangs:
it gets no calls, and is ended as in `core/stopping.py`, one of a deployment at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from headrace.core.messages import Serial

MARGIN_S = 2.0
"""A replica that watches the time itself answers when it is over: its word needs a moment."""


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """How often the replicas of a deployment are asked, and how patiently."""

    period_s: float = 10.0
    timeout_s: float = 30.0
    between_calls: bool = False
    """They answer between two calls only: while one runs there is no verdict."""


@dataclass(slots=True)
class Checkup:
    """How one replica was when it was last asked, and when it is asked next."""

    ask_at: float = inf
    due_at: float = inf
    """When it should have answered, if it was asked."""
    after: Serial = Serial(0)  # noqa: RUF009 - a number
    """The last call it was sent before that."""
    was_well: bool = False
    """At least once."""
    silent: bool = False
    """It has not answered in time."""
    unwell: bool = False
    """It said so, and is being replaced."""
    owed: bool = False
    """Whoever replaces it is started when it is gone: there is no room for both."""
    words: str = ""
    """What it said of itself, if it is not well."""

    @property
    def next_at(self) -> float:
        """When time alone changes something."""
        return min(self.ask_at, self.due_at)

    def asked(self, policy: HealthPolicy, last: Serial, now: float) -> None:
        """Wait for its answer from now on."""
        self.ask_at, self.due_at = inf, now + policy.timeout_s + MARGIN_S
        self.after = last

    def answered(self, policy: HealthPolicy, *, is_well: bool, words: str, now: float) -> None:
        """Take in what it said."""
        self.due_at, self.silent = inf, False
        self.was_well, self.words = self.was_well or is_well, words
        self.ask_at = now + policy.period_s if is_well else inf

    def fell_silent(self) -> None:
        """Take in that it did not answer in time."""
        self.due_at, self.silent = inf, True
        self.words = "it has not answered"


@dataclass(slots=True)
class Tally:
    """What came of asking the replicas of one deployment."""

    answers: int = 0
    unwell: int = 0
    silent: int = 0
