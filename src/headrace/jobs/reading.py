"""What can be seen of jobs, on a connection that never writes and never waits for one that does."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Mapping, Sequence

from headrace.core.jobs import ENDED, Job, JobId, JobNumber, Status, Tenant
from headrace.errors import BadRequest, ResultGone, WrongStatus
from headrace.interfaces import JobEvent, Page, Seen, Stored
from headrace.jobs import events, rows, schema
from headrace.jobs.files import Files

MOST_AT_ONCE = 1000
CURSOR = b"job:"
USUAL = frozenset({Status.QUEUED, Status.SUCCEEDED})
"""Of these there are many wherever one looks; the others have an index."""

BEFORE = (
    "SELECT count(*) FROM jobs WHERE status = 'queued' AND endpoint = ?"
    " AND (priority, due, number) < (?, ?, ?)"
)


class Reading:
    """The questions."""

    def __init__(self, connection: sqlite3.Connection, files: Files) -> None:
        """Read with this connection."""
        self._connection, self._files = connection, files

    def show(self, tenant: Tenant | None, job: JobId) -> Seen:
        """Look at one job."""
        extras = f"{rows.OUTPUT}, done, total, note, is_gone"
        row = rows.find(self._connection, tenant, job, f"{rows.COLUMNS}, {extras}")
        found = rows.job_of(row)
        (last,) = self._connection.execute(
            "SELECT max(number) FROM events WHERE job = ?", (found.number,)
        ).fetchone()
        *output, done, total, note, is_gone = row[rows.WIDTH :]
        return Seen(
            found,
            self._position(found),
            rows.progress_of((done, total, note)),
            last or events.FIRST,
            rows.stored(tuple(output), self._files),
            bool(is_gone),
        )

    def _position(self, job: Job) -> int | None:
        if job.status is not Status.QUEUED:
            return None
        values = (job.endpoint, *job.place)
        (before,) = self._connection.execute(BEFORE, values).fetchone()
        return int(before)

    def page(
        self,
        tenant: Tenant | None,
        status: Status | None,
        endpoint: str | None,
        cursor: str | None,
        at_most: int,
    ) -> Page:
        """Look at many, the latest first."""
        asked = {"tenant": tenant, "endpoint": endpoint, "status": status and status.value}
        said = {name: value for name, value in asked.items() if value is not None}
        words = [f"{name} = :{name}" for name in said]
        if status is not None and status not in USUAL:
            words.append(schema.RARE)
        if cursor is not None:
            words.append("number < :below")
        at_most = min(max(at_most, 1), MOST_AT_ONCE)
        below = None if cursor is None else number_of(cursor)
        values = {**said, "below": below, "at_most": at_most}
        where = f"WHERE {' AND '.join(words)}" if words else ""
        found = self._connection.execute(
            f"SELECT {rows.COLUMNS} FROM jobs {where} ORDER BY number DESC LIMIT :at_most", values
        ).fetchall()
        jobs = [rows.job_of(row) for row in found]
        return Page(jobs, cursor_at(jobs[-1].number) if len(jobs) == at_most else None)

    def result(self, tenant: Tenant | None, job: JobId) -> Stored:
        """Find what an ended job answered."""
        columns = f"{rows.COLUMNS}, is_gone, {rows.OUTPUT}"
        row = rows.find(self._connection, tenant, job, columns)
        found, is_gone, output = rows.job_of(row), row[rows.WIDTH], row[rows.WIDTH + 1 :]
        if found.status not in ENDED:
            raise WrongStatus(f"job {job} is {found.status}: there is no result yet")
        if is_gone:
            raise ResultGone(f"the result of job {job} was kept as long as it was to be")
        answered = rows.stored(output, self._files)
        if answered is None:
            raise WrongStatus(f"job {job} is {found.status} and has left no result")
        return answered

    def events(
        self, tenant: Tenant | None, job: JobId, after: int, at_most: int
    ) -> Sequence[JobEvent]:
        """Replay what happened."""
        found = rows.job_of(rows.find(self._connection, tenant, job))
        at_most = min(max(at_most, 1), MOST_AT_ONCE)
        later = self._connection.execute(
            "SELECT number, at, kind, data FROM events WHERE job = ? AND number > ?"
            " ORDER BY number LIMIT ?",
            (found.number, after, at_most),
        )
        told = [JobEvent(*row) for row in later.fetchall()]
        if after < events.FIRST and (not told or told[0].number == events.FIRST + 1):
            told.insert(0, events.first(found))  # else those after it are gone, and so is it
        return told[:at_most]

    def counts(self) -> Mapping[str, Mapping[Status, int]]:
        """Count the live jobs of each endpoint."""
        counted: dict[str, dict[Status, int]] = {}
        for endpoint, status, number in self._connection.execute(
            "SELECT endpoint, status, count(*) FROM jobs"
            " WHERE status IN ('queued', 'running', 'canceling') GROUP BY endpoint, status"
        ):
            counted.setdefault(endpoint, {})[Status(status)] = number
        return counted


def cursor_at(number: JobNumber) -> str:
    """Say where a page begins, in words that mean nothing to others."""
    return base64.urlsafe_b64encode(CURSOR + b"%d" % number).decode().rstrip("=")


def number_of(cursor: str) -> JobNumber:
    """Read a cursor. Raises BadRequest."""
    try:
        said = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        head, number = said[: len(CURSOR)], said[len(CURSOR) :]
        if head == CURSOR and number.isdigit():
            return JobNumber(int(number))
    except (binascii.Error, ValueError):
        pass
    raise BadRequest("the cursor is none of ours: begin without one")
