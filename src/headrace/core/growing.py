"""Let deployments have more replicas or fewer, as `core/scaling.py` judges and memory allows.

Looked at when the alarm rings only: a request costs nothing for it.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from headrace.core import scaling, waking
from headrace.core.draining import Stage
from headrace.core.loading import Presence
from headrace.core.messages import Action, News, Say
from headrace.core.records import Pool
from headrace.core.register import Register
from headrace.core.scaling import Change


def go_on(register: Register, now: float, out: list[Action]) -> None:
    """Look at the load of every deployment whose time has come."""
    for pool in register.pools.values():
        policy, gauge = pool.policy.scale, pool.gauge
        if policy is None or gauge.look_at == inf:
            continue
        if not is_looked_at(pool):
            gauge.end()
        elif now >= gauge.look_at:
            change = scaling.look(gauge, policy, pool.wanted, pool.live, now)
            if change is not None:
                _change(register, pool, change, now, out)
        register.wake(gauge.look_at)


def is_looked_at(pool: Pool) -> bool:
    """Tell whether it may have more replicas or fewer: it is there, and is to stay."""
    is_there = pool.rest.presence is Presence.AWAKE and pool.wanted > 0
    return is_there and pool.exit.stage is Stage.OPEN


def due_at(pool: Pool) -> float:
    """When its load is to be looked at next."""
    return pool.gauge.look_at


def _change(register: Register, pool: Pool, change: Change, now: float, out: list[Action]) -> None:
    """Make a change as far as it goes; whoever comes back from a crash is waited for first."""
    if change.after > change.before:
        if pool.restarts:
            return
        made = _as_memory_allows(register, pool, change, out)
        news = News.GREW
    else:
        made, news = change, News.SHRANK
    if made.after == made.before or pool.policy.scale is None:
        return
    pool.wanted = pool.rest.full = made.after
    pool.gauge.begin(pool.policy.scale, now)
    pool.gauge.last, pool.gauge.lacking = made, change.after - made.after
    out.append(Say(pool.id, news))
    out += register.fleet.fit(pool, now)


def _as_memory_allows(register: Register, pool: Pool, change: Change, out: list[Action]) -> Change:
    """Return how much of a growth can be; say so when that is not all of it."""
    more = int(min(change.after - change.before, waking.room_for(register, pool)))
    lacking, before = change.after - change.before - more, pool.gauge.lacking
    pool.gauge.lacking = lacking
    if lacking and not before:
        out.append(Say(pool.id, News.CROWDED))
    return replace(change, after=change.before + more)
