"""Stores in a folder of the test's own, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from headrace.core.attempts import Said
from headrace.core.jobs import Job, UnixS
from headrace.interfaces import Claim, Content, Submission
from headrace.jobs.sqlite import Options, SqliteJobs

SOON_S = 10.0
LARGE = b"large " * 20_000


@dataclass(slots=True)
class Clock:
    """Stands still until it is told otherwise."""

    now: UnixS = field(default=UnixS(1_700_000_000.0))

    def __call__(self) -> UnixS:
        return self.now

    def move(self, seconds: float) -> None:
        self.now = UnixS(self.now + seconds)


@contextlib.contextmanager
def store_in(folder: Path, options: Options | None = None) -> Iterator[SqliteJobs]:
    """Open the store of a folder, and close it."""
    store = SqliteJobs(folder / "jobs.db", options)
    try:
        yield store
    finally:
        store.close()


def submission(data: bytes = b"x", **fields: object) -> Submission:
    """Return something to submit."""
    base = Submission("embed", Content(b"head", data), fingerprint=b"f:" + data[:64])
    return replace(base, **fields)  # type: ignore[arg-type] # fields of Submission, by name


def submitted(store: SqliteJobs, data: bytes = b"x", **fields: object) -> Job:
    """Submit, and return the job."""
    return store.submit(submission(data, **fields)).result(SOON_S).job


def claimed(store: SqliteJobs, at_most: int = 1, endpoint: str = "embed") -> list[Claim]:
    """Take the next jobs."""
    return list(store.claim([endpoint], at_most).result(SOON_S))


def finished(store: SqliteJobs, claim: Claim, said: Said, output: Content | None = None) -> Job:
    """End an attempt."""
    return store.finish(claim.hold, said, output).result(SOON_S)


def files_of(store: SqliteJobs) -> list[str]:
    """Name the large contents that are on the disk."""
    folder = store.path.with_name(f"{store.path.name}.files")
    return sorted(path.name for path in folder.glob("*/*"))


async def settle() -> None:
    """Let the loop hear what its threads have said by now."""
    await asyncio.sleep(0)
