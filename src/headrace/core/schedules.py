"""When a job that comes back by a timetable is submitted, and when one of its turns is left out.

What was slept through is made up for once, however many turns it was. A turn whose forerunner still
lives is left out, unless its jobs may overlap: else a job that takes longer than its timetable
thinks would pile up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from headrace.core import cron
from headrace.core.jobs import LIVE, JobId, Status, UnixS


@dataclass(frozen=True, slots=True)
class Schedule:
    """A timetable in cron's words, and how far it has come."""

    name: str
    cron: str
    next_due: UnixS
    overlaps: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What becomes of a schedule that is due."""

    schedule: Schedule
    job: JobId | None
    """The job to be submitted; None where this turn is left out."""


def planned(name: str, text: str, now: UnixS, offset_s: cron.Offset, *, overlaps: bool) -> Schedule:
    """Return a new schedule. Raises ValueError with what is wrong in the timetable."""
    return Schedule(name, text, UnixS(cron.next_after(text, now, offset_s)), overlaps)


def came_due(
    schedule: Schedule, forerunner: Status | None, now: UnixS, offset_s: cron.Offset
) -> Turn:
    """Return what a schedule that is due brings, and the schedule with its next time.

    The job's id is made of the time, so that one turn is one job whoever asks how often.
    """
    after = replace(schedule, next_due=UnixS(cron.next_after(schedule.cron, now, offset_s)))
    if forerunner in LIVE and not schedule.overlaps:
        return Turn(after, None)
    return Turn(after, JobId(f"{schedule.name}-{int(schedule.next_due)}"))
