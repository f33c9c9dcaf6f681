"""A job as a row of the table, and back."""

from __future__ import annotations

import sqlite3
from typing import Any

from headrace.core.jobs import NEVER, Cause, Job, JobId, Status, Tenant, Terms, keep_until
from headrace.errors import NoSuchJob
from headrace.interfaces import Progress, Stored
from headrace.jobs.files import Files

TERMS = (
    "priority",
    "delay_s",
    "deadline_s",
    "max_attempts",
    "retry_safe",
    "first_delay_s",
    "longest_delay_s",
    "timeout_s",
    "retention_s",
)
MOVES = (
    "due",
    "deadline",
    "status",
    "cause",
    "attempt",
    "failures",
    "losses",
    "retries",
    "owner",
    "lease_until",
    "started_at",
    "ended_at",
)
"""What changes in the life of a job."""
NAMES = ("number", "id", "tenant", "endpoint")
ALL = (
    *NAMES,
    *TERMS,
    "created_at",
    "due",
    "deadline",
    "size_bytes",
    "status",
    "cause",
    *MOVES[4:],
)
"""In the order of the fields of a Job."""
RETRY_SAFE, REST = len(NAMES) + TERMS.index("retry_safe"), len(NAMES) + len(TERMS)
STATUS = ALL.index("status")
COLUMNS = ", ".join(f"jobs.{name}" for name in ALL)
WIDTH = len(ALL)
INPUT = "inputs.head, inputs.size_bytes, inputs.data, inputs.file"
OUTPUT = "outputs.head, outputs.size_bytes, outputs.data, outputs.file"

INSERT = (
    f"INSERT INTO jobs ({', '.join(ALL)}, keep_until, fingerprint, key)"
    f" VALUES ({', '.join('?' * WIDTH)}, ?, ?, ?)"
)
UPDATE = (
    f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in MOVES)}, keep_until = ? WHERE number = ?"
)

Row = tuple[Any, ...]


def job_of(row: Row) -> Job:
    """Read the first columns of a row that was selected by COLUMNS."""
    asked: Row = (*row[len(NAMES) : RETRY_SAFE], bool(row[RETRY_SAFE]), *row[RETRY_SAFE + 1 : REST])
    judged = (Status(row[STATUS]), Cause(row[STATUS + 1]))
    rest = row[STATUS + 2 : WIDTH]
    known: Row = (*row[: len(NAMES)], Terms(*asked), *row[REST:STATUS], *judged, *rest)
    return Job(*known)


def inserted(job: Job, fingerprint: bytes, key: str | None) -> Row:
    """Return the values for INSERT, of a job that was just submitted."""
    terms = job.terms
    return (
        job.number,
        job.id,
        job.tenant,
        job.endpoint,
        terms.priority,
        terms.delay_s,
        terms.deadline_s,
        terms.max_attempts,
        terms.retry_safe,
        terms.first_delay_s,
        terms.longest_delay_s,
        terms.timeout_s,
        terms.retention_s,
        job.created_at,
        job.due,
        job.deadline,
        job.size_bytes,
        *_UNMOVED,
        fingerprint,
        key,
    )


def updated(job: Job) -> Row:
    """Return the values for UPDATE."""
    return (*_moves(job), keep_until(job), job.number)


def _moves(job: Job) -> Row:
    return (
        job.due,
        job.deadline,
        job.status.value,
        job.cause.value,
        job.attempt,
        job.failures,
        job.losses,
        job.retries,
        job.owner,
        job.lease_until,
        job.started_at,
        job.ended_at,
    )


_UNMOVED: Row = (
    Status.QUEUED.value,
    Cause.NONE.value,
    *(Job.__dataclass_fields__[name].default for name in MOVES[4:]),
    NEVER,
)
"""All that moves of a job that has not moved yet, and until when it is kept."""


def stored(row: Row, files: Files) -> Stored | None:
    """Read what was selected by INPUT or OUTPUT; None where there is none."""
    head, size_bytes, data, file = row
    if head is None:
        return None
    return Stored(head, size_bytes, data, None if file is None else files.path(file))


def progress_of(row: Row) -> Progress | None:
    """Read `done, total, note`; None where the job never said."""
    done, total, note = row
    return None if done is None else Progress(done, total, note)


def find(
    connection: sqlite3.Connection, tenant: Tenant | None, job: JobId, columns: str = COLUMNS
) -> Row:
    """Select a job of this tenant; of anybody's, the latest. Raises NoSuchJob."""
    joined = "jobs LEFT JOIN outputs ON outputs.job = jobs.number"
    row: Row | None = connection.execute(
        f"SELECT {columns} FROM {joined} WHERE id = ? AND (tenant = ? OR ? IS NULL)"
        " ORDER BY number DESC LIMIT 1",
        (job, tenant, tenant),
    ).fetchone()
    if row is None:
        raise NoSuchJob(f"there is no job {job}")
    return row
