"""What was accepted in a transaction and is not in the database yet: many rows are one statement.

A statement costs more than a row, and each gives other threads the interpreter, who keep it for
milliseconds. So those who submit at the same time are inserted up to sixty-four at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from headrace.core.jobs import Job
from headrace.interfaces import Submission
from headrace.jobs import rows

AT_ONCE = (64, 32, 16, 8, 4, 2, 1)
"""Rows of a statement: few sizes, for SQLite keeps each prepared, and one of many rows is large."""
CONTENT_WIDTH = 5
PUT = {
    table: f"INSERT INTO {table} (job, head, size_bytes, data, file) VALUES (?, ?, ?, ?, ?)"
    for table in ("inputs", "outputs")
}


class Content(NamedTuple):
    """What is to be kept, after a large one was put into a file."""

    head: bytes
    size_bytes: int
    data: bytes | memoryview | None
    file: str | None = None


class Fresh:
    """The jobs of one transaction that wait to be inserted."""

    __slots__ = ("inputs", "jobs", "known")

    def __init__(self) -> None:
        """Begin with none."""
        self.jobs: list[rows.Row] = []
        self.inputs: list[rows.Row] = []
        self.known: dict[tuple[str, str, str], tuple[Job, bytes]] = {}
        """Those that were given a key or an id, by `key` or `id`, its words and the tenant."""

    def add(self, job: Job, submission: Submission, content: Content) -> None:
        """Have a job inserted."""
        fingerprint, key = submission.fingerprint, submission.key
        self.jobs.append(rows.inserted(job, fingerprint, key))
        self.inputs.append((job.number, *content))
        if key is not None:
            self.known["key", key, job.tenant] = job, fingerprint
        if submission.id is not None:
            self.known["id", job.id, job.tenant] = job, fingerprint

    def insert(self, connection: sqlite3.Connection) -> None:
        """Insert them all."""
        _insert(connection, rows.INSERT, self.jobs)
        _insert(connection, PUT["inputs"], self.inputs)


def _insert(connection: sqlite3.Connection, statement: str, values: Sequence[rows.Row]) -> None:
    """Insert rows by a statement that inserts one."""
    begun = 0
    for size in AT_ONCE:
        while len(values) - begun >= size:
            some = values[begun : begun + size]
            connection.execute(_many(statement, size), list(chain.from_iterable(some)))
            begun += size


@cache
def _many(statement: str, count: int) -> str:
    """Return the statement for so many rows."""
    one = statement[statement.rindex("(") :]
    return statement + f", {one}" * (count - 1)
