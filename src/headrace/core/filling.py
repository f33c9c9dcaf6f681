"""Who of those who wait goes to which replica, now.

Suspects go first, each alone; then the eldest; those in the background where `core/sharing.py` lets
them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import inf

from headrace.core import gathering, multiplexing, queueing, routing, sending, sharing
from headrace.core.messages import Action, RequestId
from headrace.core.records import Copy, Pool, Ticket
from headrace.core.register import Register


def fill(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    """Send what is due to replicas that have room."""
    if pool.policy.multiplexed:
        _fill_by_model(register, pool, now, out)
        return
    if pool.behind:
        _fill_from_both(register, pool, now, out)
        return
    waiting, copies = pool.waiting, routing.open_copies(pool)
    while waiting:
        chosen = routing.choose(copies, now)
        if chosen is None:
            register.wake(routing.opens_at(copies, now))
            return
        copy, room = chosen
        count, again_at = gathering.weigh(pool, copy, room, now)
        if not count:
            register.wake(again_at)
            return
        register.send(copy, queueing.take(waiting, count), now, out)


def _fill_from_both(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    copies = routing.open_copies(pool)
    while pool.waiting or pool.behind:
        chosen = routing.choose(copies, now)
        if chosen is None:
            register.wake(routing.opens_at(copies, now))
            return
        copy, room = chosen
        mix = sharing.weigh(pool, copy, room, now)
        if not mix.online + mix.background:
            register.wake(mix.again_at)
            return
        tickets = queueing.take(pool.waiting, mix.online)
        tickets += queueing.take(pool.behind, mix.background)
        _send(register, copy, tickets, now, out)


def _fill_by_model(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    """Send calls that are each for one model, and so for one of the two lines."""
    copies = routing.open_copies(pool)
    while pool.waiting or pool.behind:
        upcoming, line = _next_by_model(pool, copies, now)
        if upcoming.copy is None:
            register.wake(upcoming.again_at)
            return
        pool.passed = pool.passed + 1 if upcoming.passes else 0
        _send(register, upcoming.copy, queueing.take_out(line, upcoming.tickets), now, out)


def _next_by_model(
    pool: Pool, copies: Sequence[Copy], now: float
) -> tuple[multiplexing.Next, OrderedDict[RequestId, Ticket]]:
    """Return the next call of either line, and the line that it is of."""
    again_at, turns = inf, sharing.turns(pool, copies)
    for line, some in turns:
        upcoming = multiplexing.next_call(pool, line, some, now)
        if upcoming.copy is not None:
            return upcoming, line
        again_at = min(again_at, upcoming.again_at)
    return multiplexing.Next(None, again_at=again_at), pool.waiting


def next_by_model(pool: Pool, copies: Sequence[Copy], now: float) -> multiplexing.Next:
    """Return the next call of a deployment with many models, of whichever line."""
    return _next_by_model(pool, copies, now)[0]


def try_suspects(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    """Send each alone, and to a replica that has no other: a crash has one culprit."""
    for request, ticket in list(pool.suspects.items()):
        copies = [c for c in routing.open_copies(pool) if not sending.has_suspect(c)]
        chosen = routing.choose(copies, now)
        if chosen is None:
            register.wake(routing.opens_at(copies, now))
            return
        del pool.suspects[request]
        _send(register, chosen[0], [ticket], now, out)


def _send(
    register: Register, copy: Copy, tickets: list[Ticket], now: float, out: list[Action]
) -> None:
    """Send a call that may have requests of the lower class in it."""
    pool = copy.pool
    background = sharing.begin(register, pool, tickets, now, out) if pool.lowers else 0
    register.send(copy, tickets, now, out, background)
