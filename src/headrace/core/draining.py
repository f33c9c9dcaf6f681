"""The order of shutdown: give notice, refuse, wait, cut, evict, kill."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, auto
from math import inf

KILL_AFTER_S = 5.0


class Stage(IntEnum):
    """How far a shutdown has come. It never goes back."""

    OPEN = auto()
    WAITING = auto()  # refuse new requests, let the others end
    EVICTING = auto()  # cut what is left, let replicas tear down
    KILLING = auto()  # they had their time
    DONE = auto()


@dataclass(slots=True)
class Notice:
    """What comes before a shutdown: clients are served on, and probes are told to look away.

    A balancer goes on sending for a while after a server wants no more; so does Kubernetes.
    """

    given: bool = False
    begins_at: float = inf
    """When requests are refused; the grace counts from there."""

    def ask(self, delay_s: float, now: float) -> float:
        """Give notice, or hurry: asked again, it begins at once. Return when it begins."""
        self.begins_at = min(self.begins_at, now if self.given else now + delay_s)
        self.given = True
        return self.begins_at


@dataclass(frozen=True, slots=True)
class Tally:
    """What a stop found under way, and what became of it."""

    in_flight: int = 0
    finished: int = 0
    cut: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(
            self.in_flight + other.in_flight, self.finished + other.finished, self.cut + other.cut
        )


def tally(in_flight: int, left: int) -> Tally:
    """Return how it stands: of `in_flight` so many are `left`.

    Who is left counts as cut, for nobody could say more if the process ended now. Others may have
    come meanwhile, on connections that were there.
    """
    return Tally(max(in_flight, left), max(0, in_flight - left), left)


@dataclass(slots=True)
class Shutdown:
    """One shutdown: asked for at `since`, with `grace_s` seconds for what runs."""

    stage: Stage = Stage.OPEN
    since: float = 0.0
    grace_s: float = 0.0
    kill_at: float = 0.0
    notice: Notice = field(default_factory=Notice)
    cut: int = 0
    """How many requests it has cut off."""

    def ask(self, grace_s: float, now: float) -> None:
        """Begin, or hurry: a later ask can only bring the end nearer."""
        if self.stage is Stage.OPEN:
            self.stage, self.since, self.grace_s = Stage.WAITING, now, grace_s
        else:
            self.grace_s = min(self.grace_s, now - self.since + grace_s)
            self.kill_at = min(self.kill_at, now + grace_s)

    def step(self, *, live: int, replicas: int, now: float) -> Stage:
        """Move on as far as the requests and replicas that are left allow; return the stage."""
        if self.stage is Stage.WAITING and (not live or now >= self.since + self.grace_s):
            self.stage, self.kill_at = Stage.EVICTING, now + KILL_AFTER_S
        if self.stage is Stage.EVICTING and now >= self.kill_at:
            self.stage = Stage.KILLING
        if self.stage in (Stage.EVICTING, Stage.KILLING) and not replicas:
            self.stage = Stage.DONE
        return self.stage

    def next_at(self) -> float:
        """When time alone moves it on; infinite if it does not."""
        if self.stage is Stage.WAITING:
            return self.since + self.grace_s
        if self.stage is Stage.EVICTING:
            return self.kill_at
        return float("inf")
