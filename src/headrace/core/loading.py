"""Who is to be loaded, who is to go: a deployment's presence as a table, memory as a budget.

What brings these turns about is told in `core/waking.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from math import inf

from headrace.errors import ImpossibleStep

STAY_S = 10.0
"""How long a model that was loaded stays unused before another may have its memory."""


class Load(Enum):
    """When a deployment is loaded."""

    EAGER = auto()  # at the start, which waits for it
    LAZY = auto()  # when a request comes
    BACKGROUND = auto()  # at the start, which does not wait for it
    SCHEDULED = auto()  # between two times of its timetable


@dataclass(frozen=True, slots=True)
class LoadPolicy:
    """The options of a deployment that decide when its model is in memory."""

    when: Load = Load.EAGER
    waits: bool = False
    """Requests wait while it is being loaded; else they are refused."""
    idle_unload_s: float | None = None
    needed_bytes: int | None = None
    """What one replica takes; else the most that was measured."""
    load_at: str | None = None
    unload_at: str | None = None
    """Its timetable, in cron's words."""


class Presence(Enum):
    """Whether a deployment is there."""

    AWAKE = auto()  # it is loaded, or being loaded
    ASLEEP = auto()  # the next request wakes it
    QUEUED = auto()  # it is to be loaded as soon as there is room, and after a failure: time
    CLOSING = auto()  # it goes with its last request
    SHUT = auto()  # nothing but its timetable wakes it


class Turn(Enum):
    """What happens to its presence."""

    KNOCKED = auto()  # a request came
    WANTED = auto()  # the start or the timetable asks for it
    STARTED = auto()
    IDLED = auto()  # nobody used it, or somebody else needs the memory more
    UNWANTED = auto()  # the timetable ends it
    CLOSED = auto()
    FAILED = auto()
    PUT_OFF = auto()  # it failed, and is tried again without being asked for


NEXT: Mapping[tuple[Presence, Turn], Presence] = {
    (Presence.ASLEEP, Turn.KNOCKED): Presence.QUEUED,
    (Presence.ASLEEP, Turn.WANTED): Presence.QUEUED,
    (Presence.ASLEEP, Turn.UNWANTED): Presence.CLOSING,
    (Presence.SHUT, Turn.WANTED): Presence.QUEUED,
    (Presence.SHUT, Turn.UNWANTED): Presence.SHUT,
    (Presence.QUEUED, Turn.WANTED): Presence.QUEUED,
    (Presence.QUEUED, Turn.STARTED): Presence.AWAKE,
    (Presence.QUEUED, Turn.UNWANTED): Presence.CLOSING,
    (Presence.QUEUED, Turn.FAILED): Presence.ASLEEP,  # it can never fit
    (Presence.QUEUED, Turn.PUT_OFF): Presence.QUEUED,
    (Presence.AWAKE, Turn.WANTED): Presence.AWAKE,
    (Presence.AWAKE, Turn.UNWANTED): Presence.CLOSING,
    (Presence.AWAKE, Turn.IDLED): Presence.ASLEEP,
    (Presence.AWAKE, Turn.FAILED): Presence.ASLEEP,
    (Presence.AWAKE, Turn.PUT_OFF): Presence.QUEUED,
    (Presence.CLOSING, Turn.WANTED): Presence.QUEUED,  # what is still there is kept
    (Presence.CLOSING, Turn.UNWANTED): Presence.CLOSING,
    (Presence.CLOSING, Turn.IDLED): Presence.ASLEEP,
    (Presence.CLOSING, Turn.CLOSED): Presence.SHUT,
    (Presence.CLOSING, Turn.FAILED): Presence.CLOSING,
    (Presence.CLOSING, Turn.PUT_OFF): Presence.CLOSING,
}


def advance(presence: Presence, turn: Turn) -> Presence:
    """Return the presence after `turn`, or raise if the table has no such row."""
    try:
        return NEXT[presence, turn]
    except KeyError:
        raise ImpossibleStep(f"{turn.name} is not possible in {presence.name}") from None


@dataclass(slots=True)
class Rest:
    """What is known of one deployment's comings and goings."""

    presence: Presence = Presence.AWAKE
    since: float = 0.0
    """When that last changed."""
    full: int = 1
    """Its replicas when it is awake."""
    gates: bool = True
    """A start waits for it, and fails with it: until it was first ready."""
    loaded_at: float = 0.0
    took_s: float = 0.0
    """How long its last load took."""
    ended_before: int = 0
    """Requests that had ended when it was loaded."""
    measured_bytes: int = 0
    """The most that a replica of it was seen to take."""
    fell: float | None = None
    """It could not be loaded, which nobody has looked at yet: the chance that spreads retries."""
    failures: int = 0
    """In a row."""
    retry_at: float = 0.0
    fault: str = ""
    """Why it could not be loaded, in words fit for anybody."""
    missing_bytes: int = 0
    """How much less memory is free than it needs; it waits for it."""
    kill_at: float = inf
    """When replicas that were told to tear down had their time."""
    opens_at: float = inf
    opens: str = ""
    """When its timetable loads it next, on the engine's clock and in words."""
    closes: str = ""
    """When it unloads it next."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment that is not in use, and what its going would give back."""

    name: str
    used_at: float
    size_bytes: int


def to_evict(missing_bytes: float, candidates: Iterable[Candidate]) -> list[str]:
    """Return who is to go, the least recently used first; nobody if all together are too small."""
    chosen: list[str] = []
    for candidate in sorted(candidates, key=lambda each: each.used_at):
        if missing_bytes <= 0:
            break
        if candidate.size_bytes:
            chosen.append(candidate.name)
            missing_bytes -= candidate.size_bytes
    return chosen if missing_bytes <= 0 else []


@dataclass(frozen=True, slots=True)
class Times:
    """When a timetable next loads and next unloads, both after `now`; infinite for never."""

    loads_at: float
    unloads_at: float = inf

    @property
    def is_open(self) -> bool:
        """Whether the time between a load and its unload is running now."""
        return self.unloads_at < self.loads_at


def missed(before: Times, now: float) -> Turn | None:
    """Return what a timetable, as last looked up, asks for by now; the later of the two counts."""
    due = [
        (when, turn)
        for when, turn in (
            (before.loads_at, Turn.WANTED),
            (before.unloads_at, Turn.UNWANTED),
        )
        if when <= now
    ]
    return max(due, key=lambda each: each[0])[1] if due else None
