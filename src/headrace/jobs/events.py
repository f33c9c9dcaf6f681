"""What happened to a job, written down for replay: the latest of it, the rest goes.

The first event of every job is that it was submitted. That follows from the job, so it is not
written.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any, Final

import msgspec

from headrace.core.jobs import ENDED, NEVER, Job, JobNumber, Status, UnixS
from headrace.errors import TooLarge
from headrace.interfaces import JobEvent, Progress

FIRST: Final = 1
STATE: Final = "state"
PROGRESS: Final = "progress"
MOST_EVENTS = 1000
MOST_BYTES = 4 << 20
"""Of all events of one job, and while it is not looked at, of some more."""
LOOK_EVERY = 50
LARGEST_BYTES = 64 << 10
"""Of one event."""

ADD = (
    "INSERT INTO events (job, number, at, kind, data)"
    " SELECT ?1, coalesce(max(number), 1) + 1, ?2, ?3, ?4 FROM events WHERE job = ?1"
)
TRIM = (
    "DELETE FROM events WHERE job = ?1 AND number <= ("
    " SELECT max(number) FROM ("
    "  SELECT number, sum(length(data)) OVER later AS bytes, count(*) OVER later AS events"
    "  FROM events WHERE job = ?1 WINDOW later AS (ORDER BY number DESC)"
    " ) WHERE bytes > ?2 OR events > ?3)"
)


def state(job: Job) -> bytes:
    """Say where a job is."""
    told: dict[str, Any] = {"status": job.status, "attempt": job.attempt}
    if job.cause:
        told["cause"] = job.cause
    if job.ended_at == NEVER and job.due > job.created_at:
        told["due"] = job.due
    return msgspec.json.encode(told)


def first(job: Job) -> JobEvent:
    """Say that a job was submitted."""
    told: dict[str, Any] = {"status": Status.QUEUED, "attempt": 0}
    if job.terms.delay_s:
        told["due"] = job.created_at + job.terms.delay_s
    return JobEvent(FIRST, job.created_at, STATE, msgspec.json.encode(told))


def progress(told: Progress) -> bytes:
    """Say how far it has come."""
    return msgspec.json.encode({"done": told.done, "total": told.total, "note": told.note})


def check_size(data: bytes) -> None:
    """Return if this may be an event."""
    if len(data) > LARGEST_BYTES:
        raise TooLarge(
            f"an event of a job has at most {LARGEST_BYTES} bytes, and this one {len(data)}: put "
            "what is large into the job's result"
        )


class Events:
    """The events of all jobs, as the writer adds to them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write with this connection, in the transaction that its owner has begun."""
        self._connection = connection
        self._added: Counter[JobNumber] = Counter()

    def add(self, job: JobNumber, at: UnixS, kind: str, data: bytes) -> None:
        """Write down one event; those of one job are numbered from 2 on."""
        self._connection.execute(ADD, (job, at, kind, data))
        self._added[job] += 1
        if self._added[job] >= LOOK_EVERY:
            self._connection.execute(TRIM, (job, MOST_BYTES, MOST_EVENTS))
            del self._added[job]

    def moved(self, job: Job, at: UnixS) -> None:
        """Write down where a job is now."""
        self.add(job.number, at, STATE, state(job))
        if job.status in ENDED:
            self._added.pop(job.number, None)
