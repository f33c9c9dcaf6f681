"""The end of a server, and of one deployment while the others go on: step by step, in order.

The steps are those of `core/draining.py`; here is what each asks of requests and replicas.
"""

from __future__ import annotations

from headrace.core.draining import Shutdown, Stage
from headrace.core.messages import Action, Kill, Outcome, Retired
from headrace.core.records import Pool
from headrace.core.register import Register
from headrace.core.replicas import State


def go_on(register: Register, shutdown: Shutdown, now: float, out: list[Action]) -> None:
    """Take every end that has begun a step further, if it is time."""
    if shutdown.stage is not Stage.OPEN:
        _shut_down(register, shutdown, now, out)
    for pool in list(register.leaving):
        _retire(register, pool, now, out)


def _shut_down(register: Register, shutdown: Shutdown, now: float, out: list[Action]) -> None:
    before = shutdown.stage
    stage = shutdown.step(live=len(register.tickets), replicas=len(register.fleet.copies), now=now)
    if before < Stage.EVICTING <= stage:
        register.leaving.clear()  # they are in good company now
        shutdown.cut += len(register.tickets)
        for request in list(register.tickets):
            register.abandon(request, Outcome.CUT, out)
        for pool in register.pools.values():
            pool.restarts.clear()
    out += register.fleet.evict(before, stage)
    register.wake(shutdown.next_at())


def _retire(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    before = pool.exit.stage
    live = pool.live + sum(other.live for other in pool.company)
    stage = pool.exit.step(live=live, replicas=len(pool.copies), now=now)
    if before < Stage.EVICTING <= stage:
        for ticket in [each for each in register.tickets.values() if each.pool is pool]:
            register.abandon(ticket.id, Outcome.CUT, out)
        _evict(register, pool, out)
    if before < Stage.KILLING <= stage:
        out += [Kill(copy.id) for copy in pool.copies.values()]
    if stage is Stage.DONE:
        register.leaving.remove(pool)
        pool.company = ()
        del register.pools[pool.id]
        out.append(Retired(pool.id))
    register.wake(pool.exit.next_at())


def _evict(register: Register, pool: Pool, out: list[Action]) -> None:
    pool.wanted = 0
    pool.restarts.clear()
    there = [copy for copy in pool.copies.values() if copy.state is not State.DRAINING]
    out += map(register.fleet.let_go, there)
