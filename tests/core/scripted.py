"""A replica as the engine's tests script it: it knows the truth that the engine has to guess."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from headrace.core.messages import ReplicaId, RequestId, Serial
from headrace.core.records import Policy

NEVER = 2**63


class Fate(Enum):
    SENT = auto()
    CLAIMED = auto()  # the page says so; whether it was recalled is not read yet
    RUNS = auto()
    GIVEN_UP = auto()  # claimed, recalled, not run: to be handed over


@dataclass
class Sent:
    serial: Serial
    requests: tuple[RequestId, ...]
    fate: Fate = Fate.SENT
    taken: bool = False
    """The engine was told that the call is its own again."""
    left_at: float = inf
    """Since when nobody waits for it."""
    interrupted: bool = False


@dataclass
class Scripted:
    """One replica. A `trusted` page tells at once what was taken back; others let it come."""

    id: ReplicaId
    deployment: str
    policy: Policy
    trusted: bool
    contested_runs: bool
    calls: dict[Serial, Sent] = field(default_factory=dict)
    last: int = 0
    claimed: int = 0
    recalled_from: int = NEVER
    recalled: set[int] = field(default_factory=set)
    ready: bool = False
    evicted: bool = False
    doomed: bool = False
    silent: bool = False
    """It was asked how it is, and has not answered."""
    retiring: bool = False
    """The engine's choice of who is one too many."""
    started_at: float = 0.0
    ready_at: float = 0.0
    models: frozenset[str] = frozenset()
    """Those it told of, where it has models of its own."""

    @property
    def leaf(self) -> bool:
        return self.policy.slots == 0

    @property
    def head(self) -> Sent | None:
        return next(iter(self.calls.values()), None)

    @property
    def own(self) -> list[Sent]:
        """Calls that the engine has not been told are its own again."""
        return [call for call in self.calls.values() if not call.taken]

    @property
    def begun_as_told(self) -> list[Sent]:
        """Calls that have begun, as far as any message says; a leaf goes on by itself."""
        if not self.leaf:
            return self.own
        return self.own[:1] if self.head in self.own else []

    def receive(self, serial: Serial, requests: tuple[RequestId, ...]) -> None:
        assert serial == self.last + 1, "serials count the calls of a replica"
        self.calls[serial], self.last = Sent(serial, requests), serial

    def claim(self) -> None:
        """Write the claim of the next call, and do not look further yet."""
        upcoming = next((c for c in self.calls.values() if c.fate is Fate.SENT), None)
        if upcoming is None or (self.leaf and upcoming is not self.head):
            return
        upcoming.fate, self.claimed = Fate.CLAIMED, upcoming.serial

    def look(self) -> None:
        """Read the recall, after a claim."""
        for call in self.calls.values():
            if call.fate is Fate.CLAIMED:
                call.fate = Fate.GIVEN_UP if call.serial >= self.recalled_from else Fate.RUNS

    def recall(self, serial: Serial) -> Serial | None:
        """Do what the worker's side of the page does."""
        first = max(serial, self.claimed + 1)
        for call in self.calls.values():  # claimed and not looked: who comes second decides
            if call.fate is Fate.CLAIMED and not self.contested_runs:
                call.fate = Fate.GIVEN_UP if call.serial >= serial else Fate.RUNS
            elif call.fate is Fate.CLAIMED:
                call.fate = Fate.RUNS
        self.recalled_from = serial
        self.recalled = {number for number in self.calls if number >= first}
        self._lift()
        if not self.trusted:
            return None
        for number in self.recalled:
            self.calls[Serial(number)].taken = True
        return Serial(first)

    def hand_over(self, serial: Serial) -> Sent:
        """Forget a call that ended or that is returned."""
        call = self.calls.pop(serial)
        self.recalled.discard(serial)
        self._lift()
        return call

    def _lift(self) -> None:
        if not self.recalled:
            self.recalled_from = NEVER
