"""Which replica gets the next call: a ready one with room, the one that will be free first."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from headrace.core import sending
from headrace.core.records import Copy, Pool
from headrace.core.replicas import State

READY = State.READY


def open_copies(pool: Pool) -> list[Copy]:
    """Return the replicas of a deployment that may be sent calls at all."""
    return [copy for copy in pool.copies.values() if copy.state is READY and not copy.recalled_from]


def has_idle(pool: Pool) -> bool:
    """Tell if a replica of a deployment has nothing to do."""
    return any(not copy.calls and copy.state is READY for copy in pool.copies.values())


def choose(copies: Sequence[Copy], now: float) -> tuple[Copy, int] | None:
    """Return the one of these for the next call and the requests it has room for, or None."""
    best, most, least = None, 0, inf
    for copy in copies:
        places = sending.room(copy, now)
        if places > 0 and (load := sending.load(copy)) < least:
            best, most, least = copy, places, load
    return None if best is None else (best, most)


def opens_at(copies: Sequence[Copy], now: float) -> float:
    """When time alone makes room on one of these replicas; infinite if it does not."""
    times = [sending.opens_at(copy) for copy in copies]
    return min([when for when in times if when > now], default=inf)
