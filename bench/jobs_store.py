"""Measure what accepting a job durably costs, beside a bare SQLite loop of the same statements.

`python bench/jobs_store.py [FOLDER]` prints jobs per second: the store, whose callers sit on an
event loop, and then the bare loop, with the groups that the store had made, the same statements,
values of the same size, the same full sync. They take turns; a pair of turns is compared, and the
median of the pairs is the result.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import uvloop

from headrace.core.jobs import EVERYBODY, JobId, JobNumber, Terms, UnixS, submitted
from headrace.interfaces import Content, Submission
from headrace.jobs import rows
from headrace.jobs.desk import Errand
from headrace.jobs.fresh import PUT
from headrace.jobs.schema import connected, made_ready
from headrace.jobs.sqlite import SqliteJobs

JOBS = 4000
CALLERS = 256
PAIRS = 7
BODY = b'{"text": "a sentence that is to be embedded later"}' * 10
HEAD = b'{"content-type": "application/json"}'
AT_LEAST = 0.8


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the store reached, and in which groups."""

    per_s: float
    groups: Sequence[int]


def submission(number: int) -> Submission:
    return Submission("embed", Content(HEAD, BODY), fingerprint=b"%032d" % number)


async def _submit(store: SqliteJobs, numbers: Iterator[int]) -> None:
    for number in numbers:
        await store.submit(submission(number))


async def _crowd(store: SqliteJobs, jobs: int, callers: int) -> float:
    numbers = iter(range(jobs))
    began = perf_counter()
    await asyncio.gather(*(_submit(store, numbers) for _ in range(callers)))
    return perf_counter() - began


def of_store(folder: Path, jobs: int, callers: int) -> Turn:
    """Let callers on one event loop submit, each its next job when the last one is accepted."""
    store = SqliteJobs(folder / "store.db")
    groups: list[int] = []
    serve: Callable[[Sequence[Errand]], None] = store._writes._serve  # noqa: SLF001 - it counts what the writer does

    def counting(group: Sequence[Errand]) -> None:
        groups.append(len(group))
        serve(group)

    store._writes._serve = counting  # noqa: SLF001 - as above
    try:
        took_s = uvloop.run(_crowd(store, jobs, callers))
        assert len(store.page(None, at_most=1).result().jobs) == 1
    finally:
        store.close()
    return Turn(jobs / took_s, [group for group in groups if group])


def of_bare_loop(folder: Path, groups: Sequence[int]) -> float:
    """Execute the same statements in the same groups, and nothing else."""
    path = folder / "bare.db"
    made_ready(path)
    connection = connected(path)
    try:
        values = _values(sum(groups))
        began = perf_counter()
        for group in groups:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(group):
                job, given = next(values)
                connection.execute(rows.INSERT, job)
                connection.execute(PUT["inputs"], given)
            connection.execute("COMMIT")
        return sum(groups) / (perf_counter() - began)
    finally:
        connection.close()


def _values(jobs: int) -> Iterator[tuple[rows.Row, rows.Row]]:
    made = []
    for number in range(1, jobs + 1):
        now = UnixS(1_700_000_000.0 + number)
        job = submitted(
            JobNumber(number),
            JobId(f"{number:032d}"),
            tenant=EVERYBODY,
            endpoint="embed",
            terms=Terms(),
            size_bytes=len(BODY),
            now=now,
        )
        row = rows.inserted(job, b"%032d" % number, None)
        given = (number, HEAD, len(BODY), BODY, None)
        made.append((row, given))
    return iter(made)


def compared(folder: Path, *, pairs: int, jobs: int, callers: int) -> list[tuple[Turn, float]]:
    """Let both take turns, each on an empty database."""
    found = []
    for _ in range(pairs):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            turn = of_store(Path(place), jobs, callers)
            found.append((turn, of_bare_loop(Path(place), turn.groups)))
    return found


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    found = compared(folder, pairs=PAIRS, jobs=JOBS, callers=CALLERS)
    for turn, bare in found:
        mean = sum(turn.groups) / len(turn.groups)
        print(
            f"store {turn.per_s:7.0f}/s  bare {bare:7.0f}/s  {turn.per_s / bare:4.2f}  {mean:5.1f}"
        )
    share = statistics.median(turn.per_s / bare for turn, bare in found)
    print(f"the store reaches {share:.2f} of the bare loop (median of {len(found)} pairs)")
    return 0 if share >= AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
