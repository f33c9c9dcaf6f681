"""What time brings: deadlines, leases that lapse, timetables, and the end of what is kept.

Every step is small, so that whoever submits a job while much is to be swept does not wait for it.
"""

from __future__ import annotations

from typing import Any

from headrace.core import attempts
from headrace.core.jobs import HIGHEST, NEVER, Job, UnixS
from headrace.interfaces import Swept
from headrace.jobs import rows, timetables
from headrace.jobs.books import PLACE, Books

AT_ONCE = 100
"""Of each kind, in a step."""

LATE = (
    f"SELECT {rows.COLUMNS} FROM jobs WHERE status IN ('queued', 'running', 'canceling')"
    " AND deadline < 9e999 AND deadline <= ? ORDER BY deadline LIMIT ?"
)
LAPSED = (
    f"SELECT {rows.COLUMNS} FROM jobs WHERE status IN ('running', 'canceling')"
    " AND lease_until <= ? ORDER BY lease_until LIMIT ?"
)
HELD = f"SELECT {rows.COLUMNS} FROM jobs WHERE status IN ('running', 'canceling')"
KEPT = (
    "SELECT number FROM jobs WHERE is_gone = ? AND keep_until < 9e999 AND keep_until <= ?"
    " ORDER BY keep_until LIMIT ?"
)
NEXT_TIMES = """
    SELECT min(deadline) FROM jobs
        WHERE status IN ('queued', 'running', 'canceling') AND deadline < 9e999
    UNION ALL SELECT min(lease_until) FROM jobs WHERE status IN ('running', 'canceling')
    UNION ALL SELECT min(keep_until) FROM jobs WHERE is_gone = 0 AND keep_until < 9e999
    UNION ALL SELECT min(keep_until) FROM jobs WHERE is_gone = 1 AND keep_until < 9e999
    UNION ALL SELECT min(next_due) FROM schedules
"""
NEXT_DUE = (
    "SELECT min(due) FROM jobs WHERE status = 'queued' AND endpoint = ? AND priority = ?"
    " AND due > ?"
)


def take_over(books: Books) -> int:
    """Take back whatever an owner held that was before this one: it is dead, for this one is."""
    held = [rows.job_of(row) for row in books.connection.execute(HELD).fetchall()]
    gone = [job for job in held if attempts.is_lapsed(job, books.now, books.policy.owner)]
    for job in gone:
        books.lose(job)
    return len(gone)


def step(books: Books) -> Swept:
    """Do a little of everything that is due."""
    late = _jobs(books, LATE)
    for job in late:
        books.expire(job)
    lapsed = _jobs(books, LAPSED)
    for job in lapsed:
        books.lose(job)
    submitted = timetables.follow(books)
    purged = _numbers(books, is_gone=0)
    for number in purged:
        books.purge(number)
        books.connection.execute(
            "UPDATE jobs SET is_gone = 1, keep_until = ? WHERE number = ?",
            (books.now + books.policy.remember_s, number),
        )
    forgotten = _numbers(books, is_gone=1)
    for number in forgotten:
        books.forget(number)
    times = [when for (when,) in books.connection.execute(NEXT_TIMES) if when is not None]
    return Swept(
        again_at=min(times, default=NEVER),
        due_at=_due_at(books),
        expired=len(late),
        lost=len(lapsed),
        submitted=submitted,
        purged=len(purged),
        forgotten=len(forgotten),
    )


def _jobs(books: Books, query: str) -> list[Job]:
    found = books.connection.execute(query, (books.now, AT_ONCE)).fetchall()
    return [rows.job_of(row) for row in found]


def _numbers(books: Books, *, is_gone: int) -> list[Any]:
    found = books.connection.execute(KEPT, (is_gone, books.now, AT_ONCE)).fetchall()
    return [number for (number,) in found]


def _due_at(books: Books) -> UnixS:
    """Return when the next job may be claimed that has to wait for its time."""
    soonest = NEVER
    for endpoint, line in books.crowd.lines.items():
        priority: int | None = HIGHEST - 1 if line.queued else None
        while priority is not None:
            (priority,) = books.connection.execute(PLACE, (endpoint, priority)).fetchone()
            values = (endpoint, priority, books.now)
            (due,) = books.connection.execute(NEXT_DUE, values).fetchone()
            soonest = min(soonest, NEVER if due is None else due)
    return soonest
