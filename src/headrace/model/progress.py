"""Where a job's code tells how far it is: whoever runs it says where that goes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Told = Callable[[int, int, float, float, str], None]
"""Hears of the request at a place of a call: done, total, note. In any thread."""

_here: ContextVar[Told | None] = ContextVar("headrace_progress", default=None)
_process: list[Told] = []


def use_progress(told: Told) -> None:
    """Let all code of this process tell this one: a replica has one for good."""
    _process[:] = [told]


def use_progress_here(told: Told) -> None:
    """Let the code of the running context tell this one: one worker may hold many replicas."""
    _here.set(told)


def progress_to() -> Told | None:
    """Return whom code here tells, if anybody wants to hear it."""
    return _here.get() or (_process[-1] if _process else None)
