"""The order of shutdown: refuse, wait, cut, evict, kill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

KILL_AFTER_S = 5.0


class Stage(IntEnum):
    """How far a shutdown has come. It never goes back."""

    OPEN = auto()
    WAITING = auto()  # refuse new requests, let the others end
    EVICTING = auto()  # cut what is left, let replicas tear down
    KILLING = auto()  # they had their time
    DONE = auto()


@dataclass(slots=True)
class Shutdown:
    """One shutdown: asked for at `since`, with `grace_s` seconds for what runs."""

    stage: Stage = Stage.OPEN
    since: float = 0.0
    grace_s: float = 0.0
    kill_at: float = 0.0

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
