"""Let a request in or refuse it, and say from the measured drain rate when to come back."""

from __future__ import annotations

from headrace.core import waking
from headrace.core.loading import Presence, Turn
from headrace.core.records import Pool
from headrace.core.replicas import State
from headrace.errors import Draining, QueueFull, StillLoading

SOONEST_S = 0.05
LATEST_S = 60.0
UNMEASURED_S = 1.0
WAITED_FOR = (Presence.QUEUED, Presence.AWAKE)


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
    if not pool.ever_ready or pool.is_closing:
        knock(pool, now)


def knock(pool: Pool, now: float) -> None:
    """Let one that is asleep be loaded. Return if the request may wait for it, else raise."""
    rest = pool.rest
    if rest.presence is Presence.ASLEEP and now >= rest.retry_at:
        waking.turn(pool, Turn.KNOCKED, now)
    if pool.policy.load.waits and rest.presence in WAITED_FOR:
        return
    raise not_loaded(pool, now)


def not_loaded(pool: Pool, now: float) -> StillLoading:
    """Say why a deployment takes no requests now, and when to come back."""
    rest, name = pool.rest, pool.id
    if rest.presence in (Presence.SHUT, Presence.CLOSING):
        when = f" and is loaded next at {rest.opens}" if rest.opens else ""
        wait = rest.opens_at - now if rest.opens else LATEST_S
        return StillLoading(f"{name} is not loaded at this time of day{when}", retry_after_s=wait)
    if now < rest.retry_at:
        why = f": {rest.fault}" if rest.fault else ""
        wait = min(max(rest.retry_at - now, UNMEASURED_S), LATEST_S)
        return StillLoading(f"{name} could not be loaded{why}", retry_after_s=wait)
    if rest.presence is Presence.ASLEEP:
        return StillLoading(f"{name} is asleep; the next request loads it", retry_after_s=SOONEST_S)
    if rest.missing_bytes:
        why = f"waits for memory: {rest.missing_bytes} bytes more must be free"
        return StillLoading(f"{name} {why}", retry_after_s=UNMEASURED_S)
    left = rest.took_s - (now - rest.since)
    wait = min(max(left, UNMEASURED_S), LATEST_S)
    return StillLoading(f"{name} is still loading", retry_after_s=wait)
