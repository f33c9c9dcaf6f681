"""Who runs a job, for how long that is believed, and what an attempt that came to nothing means.

A claim gives its worker a lease: a job is its worker's until `lease_until`, and heartbeats move
that on. Each claim counts `attempt` up, and whoever reports must name the attempt and be its owner.
So a worker that was frozen past its lease, and thaws, finds its word refused: the job is somebody
else's by then, or nobody's.

Failures and losses are counted apart. A failure is the job's: its work raised. A loss is nobody's:
a server was killed, which proves nothing; but what has taken twenty servers along is not tried on
a twenty-first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto

from headrace.core.jobs import (
    HELD,
    NEVER,
    NOBODY,
    Cause,
    Job,
    Owner,
    Status,
    Step,
    Terms,
    UnixS,
    advance,
    ended,
)
from headrace.errors import StaleAttempt

LEASE_S = 30.0
BEATS_PER_LEASE = 3
"""Two heartbeats may be missed."""
MOST_LOSSES = 20
LONGEST_AFTER_LOSS_S = 30.0
STEEPEST = 32
"""Doublings after which a wait is at its bound in any case."""


class Said(Enum):
    """What a worker says at the end of an attempt."""

    SUCCEEDED = auto()
    FAILED = auto()  # its work raised: another attempt may do better
    REFUSED = auto()  # it will never do better, as with input of the wrong shape
    LOST = auto()  # what ran it died, and nobody knows how far it came
    STOPPED = auto()  # its work was ended as it was asked to be, or for a shutdown
    RETURNED = auto()  # its work was not begun


SETTLES: Mapping[Said, tuple[Step, Cause]] = {
    Said.SUCCEEDED: (Step.SUCCEED, Cause.NONE),
    Said.REFUSED: (Step.FAIL, Cause.FAULT),
}


class Pulse(Enum):
    """What a heartbeat is answered."""

    HOLDS = auto()
    CANCELING = auto()  # stop the work, and say how it ended
    STALE = auto()  # stop the work; nobody wants to hear of it


def may_claim(job: Job, now: UnixS) -> bool:
    """Tell whether the job waits for a worker now."""
    return job.status is Status.QUEUED and job.due <= now < job.deadline


def claimed(job: Job, owner: Owner, now: UnixS, lease_s: float = LEASE_S) -> Job:
    """Return the job as its owner has it."""
    return replace(
        job,
        status=advance(job.status, Step.CLAIM),
        attempt=job.attempt + 1,
        owner=owner,
        lease_until=UnixS(now + lease_s),
        started_at=now,
    )


def holds(job: Job, owner: Owner, attempt: int) -> bool:
    """Tell whether this is still the attempt that counts."""
    return job.status in HELD and job.owner == owner and job.attempt == attempt


def check_holds(job: Job, owner: Owner, attempt: int) -> None:
    """Return if this is still the attempt that counts; else raise StaleAttempt."""
    if holds(job, owner, attempt):
        return
    whose = f"attempt {job.attempt} runs" if job.status in HELD else f"it is {job.status}"
    raise StaleAttempt(
        f"attempt {attempt} of job {job.id} counts no more: {whose}. Drop its result"
    )


def beaten(
    job: Job, owner: Owner, attempt: int, now: UnixS, lease_s: float = LEASE_S
) -> tuple[Job, Pulse]:
    """Return the job with its lease moved on, and what its worker is to hear.

    A lease that ran out is renewed like any other while nobody else has taken the job.
    """
    if not holds(job, owner, attempt):
        return job, Pulse.STALE
    pulse = Pulse.CANCELING if job.status is Status.CANCELING else Pulse.HOLDS
    return replace(job, lease_until=UnixS(max(job.lease_until, now + lease_s))), pulse


def is_lapsed(job: Job, now: UnixS, sole: Owner | None = None) -> bool:
    """Tell whether a job's worker is given up: its lease ran out, or it is not the `sole` owner.

    A sole owner knows that whoever held a lease before it is dead, and need not wait for its end.
    """
    return job.status in HELD and (
        job.lease_until <= now or (sole is not None and job.owner != sole)
    )


def finished(job: Job, said: Said, now: UnixS, chance: float) -> Job:
    """Return the job after its worker's last word on an attempt; ask `check_holds` before."""
    if said in SETTLES:
        step, cause = SETTLES[said]
        return ended(job, step, cause, now)
    if said is Said.FAILED:
        return _failed(replace(job, failures=job.failures + 1), now, chance)
    if said is Said.LOST:
        return _unknown(replace(job, losses=job.losses + 1), now, chance)
    if said is Said.RETURNED:
        return _again(job, now, now)
    if job.status is Status.CANCELING:
        return ended(job, Step.STOP, Cause.ASKED, now)
    return _unknown(job, now, chance)  # STOPPED for a shutdown: nobody's fault, so not counted


def lost(job: Job, now: UnixS, chance: float) -> Job:
    """Return a lapsed job after it was taken from its worker."""
    return finished(job, Said.LOST, now, chance)


def delay_after_failure_s(failures: int, terms: Terms, chance: float) -> float:
    """Seconds to wait after the `failures`-th failure; `chance` in [0, 1) spreads them."""
    steps = min(failures, STEEPEST) - 1
    wait_s = min(terms.longest_delay_s, terms.first_delay_s * 2.0**steps)
    return wait_s * (0.75 + chance / 2)


def delay_after_loss_s(losses: int, chance: float) -> float:
    """Seconds to wait after the `losses`-th death of a worker; the first costs no wait at all."""
    if losses <= 1:
        return 0.0
    steps = min(losses, STEEPEST) - 2
    return min(LONGEST_AFTER_LOSS_S, 0.5 * 2.0**steps) * (0.75 + chance / 2)


def _failed(job: Job, now: UnixS, chance: float) -> Job:
    if job.failures >= job.terms.max_attempts:
        return ended(job, Step.FAIL, Cause.ATTEMPTS, now)
    due = UnixS(now + delay_after_failure_s(job.failures, job.terms, chance))
    if due >= job.deadline and job.status is Status.RUNNING:
        return ended(job, Step.FAIL, Cause.NO_TIME, now)  # its error says more than "expired"
    return _again(job, due, now)


def _unknown(job: Job, now: UnixS, chance: float) -> Job:
    """Judge a job of which nobody knows how far it came."""
    is_hopeless = not job.terms.retry_safe or job.losses > MOST_LOSSES
    if is_hopeless and job.status is Status.RUNNING:
        return ended(job, Step.FAIL, Cause.LOST, now)
    return _again(job, UnixS(now + delay_after_loss_s(job.losses, chance)), now)


def _again(job: Job, due: UnixS, now: UnixS) -> Job:
    """Put the job back in line, unless nobody wants it any more."""
    after = ended(job, Step.AGAIN, Cause.ASKED, now)
    if after.status is not Status.QUEUED:
        return after
    return replace(after, due=due, owner=NOBODY, lease_until=NEVER)
