"""Jobs in words for people: a table, a page, a bar that moves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import TextIO

from headrace.client.records import JobRecord
from headrace.core.jobs import HELD, Status
from headrace.interfaces import Progress

HEAD = ("JOB", "STATUS", "ROUTE", "ATTEMPT", "AGE", "TOOK")
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
LEAST_BAR, MOST_BAR = 10, 40
CLEAR = "\r\x1b[2K"


def rows(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines in columns."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for each in cells:
        line = (cell.ljust(width) for cell, width in zip(each, widths, strict=True))
        yield "  ".join(line).rstrip()


def row(job: JobRecord, now: Callable[[], float] = time.time) -> tuple[str, ...]:
    """Return a job's line in a table."""
    age = span(now() - job.created_at)
    return (job.id, job.status.value, job.endpoint, str(job.attempt), age, took(job, now()))


def told(job: JobRecord) -> str:
    """Return all that is known of a job, a line for each thing."""
    return "\n".join(rows([*_facts(job)]))


def _facts(job: JobRecord) -> Iterator[tuple[str, str]]:
    yield "job", job.id
    yield "status", job.status.value + (f" ({job.cause})" if job.cause else "")
    yield "route", job.endpoint
    yield "attempt", f"{job.attempt}, {job.failures} of {job.max_attempts} have failed"
    if job.position is not None:
        yield "position", str(job.position)
    if job.progress is not None:
        yield "progress", far(job.progress)
    for name in ("created_at", "due_at", "started_at", "ended_at", "deadline_at", "kept_until"):
        moment = getattr(job, name)
        if moment is not None:
            yield name.removesuffix("_at").replace("_", " "), moment_of(moment)
    if job.error is not None:
        yield "error", f"{job.error.get('status')} {job.error.get('detail')}"


def far(progress: Progress) -> str:
    """Say how far a job is."""
    share = f" ({percent(progress):.0f}%)" if progress.total > 0 else ""
    of = f" of {progress.total:g}" if progress.total > 0 else ""
    return f"{progress.done:g}{of}{share}{f' {progress.note}' if progress.note else ''}"


def percent(progress: Progress) -> float:
    """Return the share that is done, from 0 to 100."""
    if not progress.total > 0 or not isfinite(progress.done / progress.total):
        return 0.0
    return min(max(100.0 * (progress.done / progress.total), 0.0), 100.0)


def took(job: JobRecord, now: float) -> str:
    """Say how long its latest attempt took, or takes."""
    if job.started_at is None:
        return ""
    if job.ended_at is None and job.status not in HELD:
        return ""
    return span((job.ended_at or now) - job.started_at)


def span(seconds: float) -> str:
    """Say a time in one unit, or two."""
    seconds = max(0.0, seconds)
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s" if seconds < LEAST_BAR else f"{seconds:.0f} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S:.0f} min {seconds % MINUTE_S:.0f} s"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S:.0f} h {seconds % HOUR_S // MINUTE_S:.0f} min"
    return f"{seconds // DAY_S:.0f} d"


def moment_of(unix_s: float) -> str:
    """Say a moment in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))


class Display:
    """How one job is, while somebody waits: a bar on a terminal, else a line for each change."""

    def __init__(self, out: TextIO, *, is_live: bool, is_silent: bool = False) -> None:
        """Write there; a live one writes over its own line."""
        self._out, self._is_live, self._is_silent = out, is_live, is_silent
        self._last, self._has_line = "", False

    def show(self, job: JobRecord) -> None:
        """Show how it is by now."""
        if self._is_silent:
            return
        if self._is_live:
            self._draw(bar(job, shutil.get_terminal_size().columns - 1))
            return
        line = words(job)
        if line != self._last:
            self._last = line
            print(line, file=self._out, flush=True)

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._has_line:
            self._out.write("\n")
            self._out.flush()

    def _draw(self, line: str) -> None:
        self._out.write(f"{CLEAR}{line}")
        self._out.flush()
        self._has_line = True


def words(job: JobRecord) -> str:
    """Return a job's state in a line, for a log."""
    said = [f"job {job.id}", job.status.value]
    if job.position:
        said.append(f"{job.position} before it")
    if job.attempt > 1:
        said.append(f"attempt {job.attempt}")
    if job.progress is not None:
        said.append(far(job.progress))
    if job.is_over and job.error is not None:
        said.append(str(job.error.get("detail")))
    return ", ".join(said)


def bar(job: JobRecord, width: int, now: Callable[[], float] = time.time) -> str:
    """Return the same for a terminal, with a bar where the job tells how far it is."""
    progress, run = job.progress, took(job, now())
    if progress is None or not progress.total > 0 or job.status is Status.QUEUED:
        return _fitting(f"{words(job)}{f'  {run}' if run else ''}", width)
    share = 100.0 if job.status is Status.SUCCEEDED else percent(progress)
    tail = f" {share:3.0f}%  {progress.done:g}/{progress.total:g}  {run}"
    rest = _joined([job.status.value if job.is_over else "", progress.note])
    room = min(max(width - len(tail) - 2, LEAST_BAR), MOST_BAR)
    full = int(room * share / 100)
    return _fitting(f"[{'#' * full}{'-' * (room - full)}]{tail}{rest}", width)


def _joined(parts: Iterable[str]) -> str:
    return "".join(f"  {part}" for part in parts if part)


def _fitting(line: str, width: int) -> str:
    clean = "".join(letter if letter.isprintable() else " " for letter in line)
    return clean if len(clean) <= width else clean[: max(0, width - 1)] + "…"
