"""The words of the core: who is who, how a request ends, and the actions the engine says.

Events are the engine's methods, named in the past tense (`engine.arrived(...)`): an object per
event would cost as much as the decision. Actions are small tuples in the imperative. Neither ever
carries a payload: bodies and answers stay with the shells, under these ids.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, NewType

RequestId = NewType("RequestId", int)
"""The worker's own number; what clients send as X-Request-Id is only a label."""
DeploymentId = NewType("DeploymentId", str)
ReplicaId = NewType("ReplicaId", str)
Serial = NewType("Serial", int)
"""Counts the calls sent to one replica, from 1."""


class Outcome(Enum):
    """How a request ended. Every request ends exactly once."""

    ANSWERED = auto()
    CANCELLED = auto()
    EXPIRED = auto()
    LOST = auto()
    CUT = auto()  # the server stopped, and its grace was over
    BLAMED = auto()  # its replica crashed while it ran this request alone
    UNREADY = auto()  # the model it waited for could not be loaded


class Why(Enum):
    """Why a replica is gone."""

    ASKED = auto()  # we told it to stop
    KILLED = auto()  # SIGKILL: says nothing about the call it ran
    CRASHED = auto()  # any other signal or exit: the running call is the suspect
    SETUP = auto()  # it never became ready


class Send(NamedTuple):
    """Send these requests to the replica as one call."""

    replica: ReplicaId
    serial: Serial
    requests: tuple[RequestId, ...]


class Recall(NamedTuple):
    """Take back every call from this serial on that the replica has not claimed."""

    replica: ReplicaId
    serial: Serial


class Stop(NamedTuple):
    """Tell the replica that nobody waits for the request at `place`; it still owes the end."""

    replica: ReplicaId
    serial: Serial
    place: int


class Interrupt(NamedTuple):
    """End the hook that runs this call: nobody waits for any of its requests."""

    replica: ReplicaId
    serial: Serial


class Grant(NamedTuple):
    """Let the replica send so many more parts of the answer at `place` of a call."""

    replica: ReplicaId
    serial: Serial
    place: int
    parts: int


class Due(NamedTuple):
    """A request of the lower class is sent now, and is to be answered by `deadline`."""

    request: RequestId
    deadline: float


class Left(NamedTuple):
    """A request of the lower class is no more: whatever ran it has stopped."""

    request: RequestId


class Settle(NamedTuple):
    """Give the caller its ending; if answered, it is the call's answer at `place`."""

    request: RequestId
    outcome: Outcome
    place: int = 0


class WakeAt(NamedTuple):
    """Call `engine.ticked` at this time; it takes the place of the alarm before."""

    when: float


class Start(NamedTuple):
    """Start a replica of this deployment."""

    deployment: DeploymentId
    replica: ReplicaId


class Evict(NamedTuple):
    """Let this replica tear down and end."""

    replica: ReplicaId


class Kill(NamedTuple):
    """End this replica at once: it had its time to tear down."""

    replica: ReplicaId


class Abort(NamedTuple):
    """End this replica, which hangs; it tells first where it stands."""

    replica: ReplicaId


class Examine(NamedTuple):
    """Ask this replica how it is."""

    replica: ReplicaId


class Again(NamedTuple):
    """The request's replica died and it will run once more, from a fresh context."""

    request: RequestId


class GiveUp(NamedTuple):
    """The first start of this deployment failed: the server cannot start."""

    deployment: DeploymentId


class News(Enum):
    """What became of a deployment's model."""

    LOADING = auto()
    SHORT = auto()  # it waits for memory
    TOO_LARGE = auto()  # there is not so much memory at all
    FAILED = auto()
    IDLE = auto()  # it is unloaded: nobody used it
    EVICTED = auto()  # another one needs its memory
    CLOSED = auto()  # as its timetable says
    GREW = auto()  # the load asks for more replicas
    SHRANK = auto()  # for fewer
    CROWDED = auto()  # for more, and there is no memory for them
    UNWELL = auto()  # a replica said so of itself
    SILENT = auto()  # a replica was asked, and has not answered


class Say(NamedTuple):
    """Tell people."""

    deployment: DeploymentId
    news: News


class SayOf(NamedTuple):
    """Tell people of one replica."""

    replica: ReplicaId
    news: News


class Retired(NamedTuple):
    """Nothing of this deployment is left: no request, no replica."""

    deployment: DeploymentId


class Drained(NamedTuple):
    """Nothing is left: no request, no replica."""


FleetAction = Start | Evict | Kill | Abort | Examine | GiveUp | Say | SayOf | Retired | Drained
LowerAction = Due | Left
Action = (
    Send | Recall | Stop | Interrupt | Grant | Settle | Again | WakeAt | LowerAction | FleetAction
)
