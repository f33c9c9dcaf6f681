"""Ask replicas how they are, and replace those that are not well; when the alarm rings only."""

from __future__ import annotations

from math import inf

from headrace.core import waking
from headrace.core.draining import Stage
from headrace.core.health import Checkup
from headrace.core.messages import Action, Examine, News, ReplicaId, SayOf, Serial
from headrace.core.records import Copy, Pool
from headrace.core.register import Register
from headrace.core.replicas import restart_delay_s
from headrace.core.stopping import LOADED


def begin(copy: Copy, now: float) -> float:
    """Let a replica that is ready be asked from time to time; return when first, or infinity."""
    policy = copy.pool.policy.health
    if policy is None or copy.state not in LOADED:
        return inf
    copy.checkup = Checkup(ask_at=now + policy.period_s)
    return copy.checkup.ask_at


def go_on(register: Register, now: float, out: list[Action]) -> None:
    """Ask whoever is to be asked, and judge who has not answered."""
    for pool in register.pools.values():
        if pool.policy.health is None or pool.exit.stage is not Stage.OPEN:
            continue
        for copy in pool.copies.values():
            if copy.checkup is not None and copy.state in LOADED:
                _look_at(copy, copy.checkup, now, out)
        register.wake(due_at(pool))


def answered(
    register: Register, replica: ReplicaId, words: str | None, now: float, chance: float
) -> list[Action]:
    """Take in what a replica said of its health: these words are what is wrong, None is nothing.

    `chance` spreads the starts of those that are never well.
    """
    copy = register.fleet.copies.get(replica)
    if copy is None or copy.checkup is None or copy.pool.policy.health is None:
        return []
    checkup, tally = copy.checkup, copy.pool.tally
    tally.answers += 1
    if checkup.silent:
        register.wake(now)  # it is with us again
    checkup.answered(copy.pool.policy.health, is_well=words is None, words=words or "", now=now)
    if words is None:
        register.wake(checkup.ask_at)
        return []
    tally.unwell += 1
    if copy.state not in LOADED or copy.pool.exit.stage is not Stage.OPEN:
        return []  # it goes already
    return _replace(register, copy, checkup, now, chance)


def due_at(pool: Pool) -> float:
    """When somebody is to be asked, or should have answered."""
    times = [
        copy.checkup.next_at
        for copy in pool.copies.values()
        if copy.checkup is not None and copy.state in LOADED
    ]
    return min(times, default=inf)


def _look_at(copy: Copy, checkup: Checkup, now: float, out: list[Action]) -> None:
    policy = copy.pool.policy.health
    if policy is None:
        return
    if now >= checkup.ask_at:
        checkup.asked(policy, Serial(copy.serial), now)
        out.append(Examine(copy.id))
    elif now >= checkup.due_at:
        if policy.between_calls and _works_on(copy, checkup.after):
            checkup.due_at = now + policy.timeout_s  # it has not come to the question yet
            return
        checkup.fell_silent()
        copy.pool.tally.silent += 1
        out.append(SayOf(copy.id, News.SILENT))


def _works_on(copy: Copy, serial: Serial) -> bool:
    """Tell whether a replica has yet to end calls that it was sent up to this one."""
    return bool(copy.calls) and next(iter(copy.calls)) <= serial


def _replace(
    register: Register, copy: Copy, checkup: Checkup, now: float, chance: float
) -> list[Action]:
    """Let it end its calls and go; start another beside it, if there is room for both."""
    pool = copy.pool
    checkup.unwell = True
    pool.falls = 0 if checkup.was_well else pool.falls + 1
    out: list[Action] = [SayOf(copy.id, News.UNWELL)]
    if waking.room_for(register, pool) >= 1:
        pool.restarts.append(now + restart_delay_s(pool.falls, chance))
        register.wake(min(pool.restarts))
    else:
        checkup.owed = True
    return out + register.fleet.retire(copy)
