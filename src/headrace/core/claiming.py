"""How many jobs to claim for a deployment, and what the end of one attempt says of its job.

Claimed is what its replicas can take now, and as much more as they are through with while the next
ones are fetched: a job that waits here is one that nobody else can cancel for nothing, or overtake.
"""

from __future__ import annotations

from headrace.core.attempts import Said
from headrace.core.draining import Stage
from headrace.core.loading import Presence
from headrace.core.records import Pool
from headrace.core.replicas import State
from headrace.core.sharing import places

LOOK_S = 0.25
"""Jobs that are done within this time are fetched ahead: one trip to the disk for many."""
MOST_AHEAD = 256
PORTION = 4
"""Fetched is a fourth of what fits at least: else each job that ends would cost a claim."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0
FAILED_AT = 400
SERVER_FAULT = 500
PASSING = frozenset({408, 425, 429})
"""What a client may send again as it is, later."""


def at_once(pool: Pool) -> int:
    """Return how many jobs the replicas of a deployment run at the same time."""
    ready = sum(copy.state is State.READY for copy in pool.copies.values())
    return ready * places(pool.policy)


def most(pool: Pool) -> int:
    """Return how many jobs of a deployment may be here."""
    running = at_once(pool)
    took_s = pool.pace.predict_s(pool.size)
    if not running or took_s <= 0:
        return running
    return running + min(MOST_AHEAD, int(running / took_s * LOOK_S))


def wish(pool: Pool, here: int) -> int:
    """Return how many jobs to claim, where so many are here; not a few only."""
    if pool.exit.stage is not Stage.OPEN:
        return 0
    allowed = most(pool)
    if not allowed:
        return 1 - here if is_to_be_knocked(pool) and not here else 0
    room = allowed - here
    return room if room * PORTION >= allowed or here < at_once(pool) else 0


def is_to_be_knocked(pool: Pool) -> bool:
    """Tell if a deployment is loaded when somebody wants something of it, and not before."""
    return pool.rest.presence in (Presence.ASLEEP, Presence.QUEUED, Presence.SHUT)


def said_of(status: int) -> Said:
    """Return what a response of this status says of its job."""
    if status < FAILED_AT:
        return Said.SUCCEEDED
    if status >= SERVER_FAULT or status in PASSING:
        return Said.FAILED
    return Said.REFUSED


def said_of_loss(*, is_blamed: bool, retry_safe: bool) -> Said:
    """Return what the death of a replica says of the job that it ran.

    One that crashes whatever runs it has failed; any other death proves nothing.
    """
    return Said.FAILED if is_blamed and retry_safe else Said.LOST


def next_pause_s(before_s: float) -> float:
    """Return how long to leave a store alone that could not write, after so long a pause."""
    return min(max(before_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
