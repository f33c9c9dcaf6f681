"""What may happen to a job, as a table; and what is remembered of one.

    QUEUED ──CLAIM──▶ RUNNING ──SUCCEED──▶ SUCCEEDED
      ▲ │                │ └────FAIL─────▶ FAILED ───┐
      │ └─CANCEL──┐   CANCEL                         │
      │           ▼      ▼                           │
      │       CANCELED ◀─STOP── CANCELING            ├──RETRY──▶ QUEUED
      │           └──────────────────────────────────┤
      └──AGAIN── RUNNING ──EXPIRE──▶ EXPIRED ────────┘

CANCELING exists because work that runs stops a little later than it is told to: until its worker
says how it ended, or is gone, the job is not over. Times here are Unix seconds, for a job outlives
its server; the engine counts the seconds since the machine started, and the two never meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from math import inf
from typing import Final, NewType

from headrace.errors import ImpossibleStep, Unprocessable, WrongStatus

UnixS = NewType("UnixS", float)
"""Seconds since 1970 in UTC: what a clock on the wall shows, which may be set back."""
JobNumber = NewType("JobNumber", int)
"""The store's own number, each above the last: whoever was submitted first has the smaller one."""
JobId = NewType("JobId", str)
"""What its submitter calls it: made for them, or their own."""
Tenant = NewType("Tenant", str)
"""Whose job it is: the hash of an API key; empty where there are no keys."""
Owner = NewType("Owner", str)
"""One life of one worker; never used again."""

NEVER: Final = UnixS(inf)
NOBODY: Final = Owner("")
EVERYBODY: Final = Tenant("")
"""Who has no key: all of them are one."""
HIGHEST, LOWEST = -100, 100
MOST_ATTEMPTS = 1000


class Status(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Step(Enum):
    """What just happened to it."""

    CLAIM = auto()
    SUCCEED = auto()
    FAIL = auto()
    AGAIN = auto()  # its attempt came to nothing, and it may have another
    STOP = auto()  # its work was ended before it was done
    CANCEL = auto()
    EXPIRE = auto()
    RETRY = auto()  # somebody wants it once more after its end


class Cause(StrEnum):
    """Why a job ended as it did."""

    NONE = ""
    FAULT = "fault"  # its work failed in a way that another attempt would not mend
    ATTEMPTS = "attempts"  # its work failed as often as it may
    NO_TIME = "no_time"  # its work failed, and another attempt would begin after its deadline
    LOST = "lost"  # whoever ran it died, and it is not to run again
    ASKED = "asked"
    DEADLINE = "deadline"


LIVE: Final = frozenset({Status.QUEUED, Status.RUNNING, Status.CANCELING})
HELD: Final = frozenset({Status.RUNNING, Status.CANCELING})
"""Somebody has a lease."""
ENDED: Final = frozenset(Status) - LIVE

NEXT: Mapping[tuple[Status, Step], Status] = {
    (Status.QUEUED, Step.CLAIM): Status.RUNNING,
    (Status.QUEUED, Step.CANCEL): Status.CANCELED,
    (Status.QUEUED, Step.EXPIRE): Status.EXPIRED,
    (Status.RUNNING, Step.SUCCEED): Status.SUCCEEDED,
    (Status.RUNNING, Step.FAIL): Status.FAILED,
    (Status.RUNNING, Step.AGAIN): Status.QUEUED,
    (Status.RUNNING, Step.CANCEL): Status.CANCELING,
    (Status.RUNNING, Step.EXPIRE): Status.EXPIRED,
    (Status.CANCELING, Step.CANCEL): Status.CANCELING,
    (Status.CANCELING, Step.STOP): Status.CANCELED,
    (Status.CANCELING, Step.SUCCEED): Status.SUCCEEDED,  # it was done before it heard
    (Status.CANCELING, Step.FAIL): Status.FAILED,
    (Status.CANCELING, Step.AGAIN): Status.CANCELED,  # nobody wants it again
    (Status.CANCELING, Step.EXPIRE): Status.CANCELED,
    (Status.SUCCEEDED, Step.CANCEL): Status.SUCCEEDED,  # too late: no news
    (Status.FAILED, Step.CANCEL): Status.FAILED,
    (Status.CANCELED, Step.CANCEL): Status.CANCELED,
    (Status.EXPIRED, Step.CANCEL): Status.EXPIRED,
    (Status.FAILED, Step.RETRY): Status.QUEUED,
    (Status.CANCELED, Step.RETRY): Status.QUEUED,
    (Status.EXPIRED, Step.RETRY): Status.QUEUED,
}


def advance(status: Status, step: Step) -> Status:
    """Return the status after `step`, or raise if the table has no such row."""
    try:
        return NEXT[status, step]
    except KeyError:
        raise ImpossibleStep(f"{step.name} is not possible for a job that is {status}") from None


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever submits a job may ask for."""

    priority: int = 0
    """The lowest number is claimed first, as with `nice`."""
    delay_s: float = 0.0
    """It is not claimed before that."""
    deadline_s: float = inf
    """Seconds from its submission after which nobody wants it."""
    max_attempts: int = 3
    """How often its work may fail; the deaths of servers are not counted here."""
    retry_safe: bool = True
    """It may run again where nobody knows how far it came."""
    first_delay_s: float = 1.0
    """How long it waits after its first failure; after each further one twice as long."""
    longest_delay_s: float = 300.0
    timeout_s: float = inf
    """How long one attempt may take; its worker sees to it."""
    retention_s: float = 86_400.0
    """How long its result is kept after its end."""


def check_terms(terms: Terms) -> None:
    """Return if these can be kept; else raise Unprocessable, which names the field."""
    if terms == USUAL:  # nearly all are
        return
    if not HIGHEST <= terms.priority <= LOWEST:
        raise Unprocessable(f"priority is from {HIGHEST} (first) to {LOWEST}", path="$.priority")
    if not 1 <= terms.max_attempts <= MOST_ATTEMPTS:
        raise Unprocessable(f"max_attempts is from 1 to {MOST_ATTEMPTS}", path="$.max_attempts")
    for name in ("deadline_s", "timeout_s"):
        if not getattr(terms, name) > 0:
            raise Unprocessable(f"{name} is a number of seconds above 0", path=f"$.{name}")
    for name in ("delay_s", "first_delay_s", "longest_delay_s", "retention_s"):
        if not 0 <= getattr(terms, name) < inf:
            raise Unprocessable(f"{name} is a finite number of seconds from 0 on", path=f"$.{name}")


USUAL: Final = Terms()


@dataclass(frozen=True, slots=True)
class Job:
    """All that decides a job's life. What it is given and what it answers is the store's."""

    number: JobNumber
    id: JobId
    tenant: Tenant
    endpoint: str
    terms: Terms
    created_at: UnixS
    due: UnixS
    """When it may be claimed."""
    deadline: UnixS = NEVER
    size_bytes: int = 0
    """Of what it is given."""
    status: Status = Status.QUEUED
    cause: Cause = Cause.NONE
    attempt: int = 0
    """Which claim this is, counted over its whole life: the fencing token."""
    failures: int = 0
    """Attempts whose work failed since somebody last wanted it."""
    losses: int = 0
    """Attempts whose worker died since then."""
    retries: int = 0
    """How often somebody wanted it once more after its end."""
    owner: Owner = NOBODY
    lease_until: UnixS = NEVER
    started_at: UnixS = NEVER
    """When its latest attempt was claimed."""
    ended_at: UnixS = NEVER

    @property
    def place(self) -> tuple[int, UnixS, JobNumber]:
        """Where it stands in its line: the smallest is claimed first."""
        return self.terms.priority, self.due, self.number


def submitted(  # noqa: PLR0913 - what makes a job, each said by name
    number: JobNumber,
    job: JobId,
    *,
    tenant: Tenant,
    endpoint: str,
    terms: Terms,
    size_bytes: int,
    now: UnixS,
) -> Job:
    """Return a new job. Raises Unprocessable for terms that cannot be kept."""
    check_terms(terms)
    due, deadline = UnixS(now + terms.delay_s), UnixS(now + terms.deadline_s)
    return Job(number, job, tenant, endpoint, terms, now, due, deadline, size_bytes)


def canceled(job: Job, now: UnixS) -> Job:
    """Return the job after somebody no longer wants it. Said twice, it changes nothing more."""
    return ended(job, Step.CANCEL, Cause.ASKED, now)


def expired(job: Job, now: UnixS) -> Job:
    """Return a live job after its deadline; whoever runs it holds nothing any more."""
    return ended(job, Step.EXPIRE, Cause.DEADLINE, now)


def retried(job: Job, now: UnixS) -> Job:
    """Return an ended job as it begins once more: with all its attempts, and as long a deadline.

    Raises WrongStatus while it lives and where it has succeeded.
    """
    if (job.status, Step.RETRY) not in NEXT:
        mend = (
            "its result stands, submit it again for another"
            if job.status is Status.SUCCEEDED
            else "wait for its end, or cancel it"
        )
        raise WrongStatus(f"job {job.id} is {job.status} and cannot be retried: {mend}")
    return replace(
        job,
        status=advance(job.status, Step.RETRY),
        cause=Cause.NONE,
        due=now,
        deadline=UnixS(now + job.terms.deadline_s),
        failures=0,
        losses=0,
        retries=job.retries + 1,
        owner=NOBODY,
        lease_until=NEVER,
        ended_at=NEVER,
    )


def ended(job: Job, step: Step, cause: Cause, now: UnixS) -> Job:
    """Return the job after a step that may be its last; its end is noted once."""
    status = advance(job.status, step)
    if status is job.status:
        return job
    if status not in ENDED:
        return replace(job, status=status)
    if status is Status.CANCELED:
        cause = Cause.ASKED
    return replace(job, status=status, cause=cause, ended_at=now, owner=NOBODY, lease_until=NEVER)


def keep_until(job: Job) -> UnixS:
    """Return when the content of a job is to be removed; never while it lives."""
    return UnixS(job.ended_at + job.terms.retention_s) if job.status in ENDED else NEVER


def check_may_go(job: Job) -> None:
    """Return if the job may be deleted; raises WrongStatus while it lives."""
    if job.status in LIVE:
        raise WrongStatus(f"job {job.id} is {job.status}: cancel it, and delete it after its end")
