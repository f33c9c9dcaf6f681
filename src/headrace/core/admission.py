"""Let a request in or refuse it, and say from the measured drain rate when to come back."""

from __future__ import annotations

from headrace.core.records import Pool
from headrace.core.replicas import State
from headrace.errors import Draining, QueueFull, StillLoading

SOONEST_S = 0.05
LATEST_S = 60.0
UNMEASURED_S = 1.0


def drain_rate(pool: Pool, now: float) -> float:
    """Requests per second that leave the queue when it is full; 0 where nothing was measured.

    The endings of the last seconds, or what the ready replicas can do by their pace: the larger,
    for until just now there may have been too little to do to measure more.
    """
    pace = pool.pace
    ready = sum(copy.state is State.READY for copy in pool.copies.values())
    at_once = ready * (pool.policy.slots or pace.n)
    return max(pool.flow.rate(now), at_once / pace.t_s if pace.t_s > 0 else 0.0)


def retry_after_s(pool: Pool, now: float) -> float:
    """Seconds until the queue has drained, as measured; within sane bounds."""
    rate = drain_rate(pool, now)
    wait = pool.queued / rate if rate > 0 else UNMEASURED_S
    return min(max(wait, SOONEST_S), LATEST_S)


def admit(pool: Pool, size_bytes: int, now: float, *, draining: bool) -> None:
    """Return if one more request may queue in `pool`; else raise the Refused that says why.

    A body larger than the bound is let in where it is the only one: its size is another limit's.
    """
    if draining:
        raise Draining("the server is shutting down", retry_after_s=UNMEASURED_S)
    if pool.queued >= pool.policy.max_queued:
        raise QueueFull(
            f"{pool.queued} requests already wait for {pool.id}",
            retry_after_s=retry_after_s(pool, now),
        )
    held = pool.queued_bytes + pool.coming_bytes
    if held and held + size_bytes > pool.policy.max_queued_bytes:
        raise QueueFull(
            f"{held} bytes already wait for {pool.id}", retry_after_s=retry_after_s(pool, now)
        )
    if not pool.ever_ready:
        raise StillLoading(f"{pool.id} is still loading", retry_after_s=UNMEASURED_S)
