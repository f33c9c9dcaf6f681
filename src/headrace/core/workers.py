"""The words between an arbiter's decisions and its deeds: workers, what they live, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import NewType

from headrace.errors import ImpossibleStep

WorkerId = NewType("WorkerId", int)
KILL_AFTER_S = 8.0
"""Beyond its grace: an engine worker needs some 5 s to end replicas that do not listen."""
UNBORN_GRACE_S = 2.0
"""An application that is being imported cannot hear; this long it may try."""
DUMP_S = 0.5
"""What the stacks of a hanging worker may take to be written."""
GOLDEN = 0.6180339887  # spreads what one number drawn is used for twice


class Life(Enum):
    """Where a worker is."""

    STARTING = auto()
    READY = auto()
    RETIRING = auto()  # it was told to finish
    DOOMED = auto()  # it failed or hangs, and is being ended


class Turn(Enum):
    """What just happened to it."""

    LOADED = auto()
    RETIRED = auto()
    CONDEMNED = auto()


NEXT: Mapping[tuple[Life, Turn], Life] = {
    (Life.STARTING, Turn.LOADED): Life.READY,
    (Life.STARTING, Turn.RETIRED): Life.RETIRING,
    (Life.STARTING, Turn.CONDEMNED): Life.DOOMED,
    (Life.READY, Turn.RETIRED): Life.RETIRING,
    (Life.READY, Turn.CONDEMNED): Life.DOOMED,
    (Life.RETIRING, Turn.LOADED): Life.RETIRING,  # its news was under way
    (Life.RETIRING, Turn.RETIRED): Life.RETIRING,  # a second word hurries
    (Life.RETIRING, Turn.CONDEMNED): Life.DOOMED,
    (Life.DOOMED, Turn.LOADED): Life.DOOMED,
    (Life.DOOMED, Turn.RETIRED): Life.DOOMED,
    (Life.DOOMED, Turn.CONDEMNED): Life.DOOMED,
}


def advance(life: Life, turn: Turn) -> Life:
    """Return the life after `turn`, or raise if the table has no such row."""
    try:
        return NEXT[life, turn]
    except KeyError:
        raise ImpossibleStep(f"{turn.name} is not possible in {life.name}") from None


@dataclass(frozen=True, slots=True)
class TreePolicy:
    """How many workers, and how patient to be with them."""

    workers: int = 1
    is_engine: bool = False
    """The one worker answers as soon as it listens, reloads within, and is never recycled."""
    grace_s: float = 30.0
    drain_delay_s: float = 0.0
    """How long a stop of the server goes on serving first."""
    startup_timeout_s: float = 600.0
    silence_s: float = 30.0
    """How long an event loop may say nothing; 0 is for ever."""
    stop_first: bool = False
    """A reload ends the old workers before it starts the new ones: memory holds one generation."""
    max_requests: int = 0
    max_requests_jitter: int = 0
    max_memory_bytes: int | None = None
    name: str = "worker"
    """What the log calls one."""


@dataclass(slots=True)
class Worker:
    """What is known of one worker."""

    id: WorkerId
    generation: int
    since: float
    """When it was started, then when it was last heard."""
    limit: float = inf
    """After so many requests it is recycled."""
    life: Life = Life.STARTING
    answers: bool = False
    due: bool = False
    """It is to be recycled, once another serves in its place."""
    kill_at: float = inf
    leaves_at: float = inf
    """Told to finish, it serves on until then."""

    @property
    def counts(self) -> bool:
        """Whether it is one of those that are wanted."""
        return self.life in (Life.STARTING, Life.READY) and not self.due


@dataclass(frozen=True, slots=True)
class Start:
    """Start a worker."""

    worker: WorkerId
    generation: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Tell a worker to take nothing new after `delay_s`, to finish within `grace_s`, to end."""

    worker: WorkerId
    grace_s: float
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Dump:
    """Let a worker write where its threads stand."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker at once."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class ReloadInside:
    """Tell the engine worker to reload its deployments."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class SetRoom:
    """Open or close the waiting room: there is nobody, or somebody, who answers."""

    is_open: bool


@dataclass(frozen=True, slots=True)
class Announce:
    """Everything that was asked for is ready, for the first time."""


@dataclass(frozen=True, slots=True)
class BeginReload:
    """A reload has begun."""


@dataclass(frozen=True, slots=True)
class EndReload:
    """A reload has ended; `fault` says why nothing has changed, or is empty."""

    fault: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """Log this."""

    words: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Nobody is left: end the server, with the fault of the worker that failed, if one did."""

    failed: WorkerId | None = None


def why_ended(worker: Worker, newest: int, *, stopping: bool) -> str:
    """Return why a worker has ended: in one word, for the record."""
    if stopping:
        return "stop"
    if worker.life is not Life.RETIRING:
        return "failed_start" if worker.life is Life.STARTING else "crash"
    if worker.due:
        return "recycling"
    return "reload" if worker.generation < newest else "fewer"


Action = (
    Start
    | Retire
    | Dump
    | Kill
    | ReloadInside
    | SetRoom
    | Announce
    | BeginReload
    | EndReload
    | Say
    | End
)
