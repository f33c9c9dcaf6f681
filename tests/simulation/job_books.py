"""The store's own books under the day's clock: the same SQL, in memory, one transaction a deed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar

from headrace.core.attempts import Pulse, Said
from headrace.core.jobs import EVERYBODY, Job, JobId, JobNumber, Owner, Terms, UnixS
from headrace.core.submitting import Bounds
from headrace.errors import HeadraceError
from headrace.interfaces import Content as Given
from headrace.interfaces import Hold, Submission
from headrace.jobs import rows, schema, sweeping
from headrace.jobs.books import Books, Policy
from headrace.jobs.files import Files
from headrace.jobs.fresh import Content
from tests.core.job_world import ENDPOINTS

T = TypeVar("T")


class SqlBooks:
    """See `tests.core.job_world.Books`. A tenth of all commits fail once, and are made again."""

    def __init__(self, chance: Random, bounds: Bounds, folder: Path) -> None:
        self._chance = chance
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        for statements in schema.MIGRATIONS:
            for statement in statements:
                self._connection.execute(statement)
        policy = Policy(Owner("nobody"), chance.random, lambda unix_s: 0 * unix_s, bounds)
        self._books = Books(self._connection, Files(folder), policy)

        self._read_at = -1
        self._read: dict[rows.Row, Job] = {}
        self._jobs: dict[JobNumber, Job] = {}

    def close(self) -> None:
        self._connection.close()

    def _do(self, now: UnixS, deed: Callable[[], T], owner: Owner | None = None) -> T:
        books = self._books
        if owner is not None:
            books.policy = replace(books.policy, owner=owner)
        while True:
            self._connection.execute("BEGIN IMMEDIATE")
            books.now = now
            try:
                value = deed()
                books.flush()
            except HeadraceError:
                books.flush()
                self._connection.execute("COMMIT")
                raise
            if self._chance.random() >= 0.1:
                self._connection.execute("COMMIT")
                return value
            self._connection.execute("ROLLBACK")
            books.recount()

    def submit(self, key: str, endpoint: str, terms: Terms, now: UnixS) -> Job:
        given = Submission(endpoint, Given(b"", b"x"), key.encode(), terms=terms, key=key)
        return self._do(now, lambda: self._books.submit(given, Content(b"", 1, b"x"))).job

    def claim(self, owner: Owner, at_most: int, now: UnixS) -> Sequence[Job]:
        claims = self._do(now, lambda: self._books.claim(ENDPOINTS, at_most), owner)
        return [claim.job for claim in claims]

    def beat(self, owner: Owner, job: Job, now: UnixS) -> Pulse:
        hold = Hold(job.number, job.attempt)
        return self._do(now, lambda: self._books.beat([hold])[hold], owner)

    def finish(self, owner: Owner, job: Job, said: Said, now: UnixS) -> Job:
        hold = Hold(job.number, job.attempt)
        return self._do(now, lambda: self._books.finish(hold, said, None), owner)

    def cancel(self, job: JobId, now: UnixS) -> Job:
        return self._do(now, lambda: self._books.cancel(EVERYBODY, job))

    def retry(self, job: JobId, now: UnixS) -> Job:
        return self._do(now, lambda: self._books.retry(EVERYBODY, job))

    def sweep(self, now: UnixS) -> None:
        swept = self._do(now, lambda: sweeping.step(self._books))
        assert swept.again_at > now, "something was due and not done"

    def take_over(self, owner: Owner, now: UnixS) -> None:
        self._do(now, lambda: sweeping.take_over(self._books), owner)

    def all(self) -> dict[JobNumber, Job]:
        """Read every job; one whose row is as it was is as it was."""
        if self._connection.total_changes != self._read_at:
            self._read_at = self._connection.total_changes
            asked = f"SELECT {rows.COLUMNS} FROM jobs"  # noqa: S608 - our own names
            known = self._read
            found = [(row, known.get(row)) for row in self._connection.execute(asked)]
            self._read = {row: job or rows.job_of(row) for row, job in found}
            self._jobs = {job.number: job for job in self._read.values()}
        return self._jobs

    def queued(self) -> int:
        return self._books.crowd.queued
