"""What background requests get of replicas that online requests want too.

Online goes first. Background fills up batches and takes idle replicas; where there is nothing else
to do it has all of them. While it waits and online takes every place, it is owed a share of the
requests that are sent: a place of its own in the next call for each nine that went past it.

What would bind a replica to background work before it is idle is done only where it costs an online
request next to nothing: calls sent ahead are quick ones, and of many slots a tenth stays free.

Rejected: a replica set apart for background work; where there is one replica, there is none to set
apart. A share of time in place of requests: nobody knows how long the next call takes, and a quick
deployment would wait for a slow job's whole share to be paid back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from headrace.core import batching, gathering, sending
from headrace.core.messages import Action, Due, RequestId
from headrace.core.records import Copy, Policy, Pool, Ticket
from headrace.core.register import Register

SHARE = 0.1
"""Of the requests that are sent while background requests wait."""
HAIR = 1e-9
DEBT = SHARE / (1 - SHARE)
"""What one online request that goes past those in the background adds to what they are owed."""


Turn = tuple[OrderedDict[RequestId, Ticket], Sequence[Copy]]
"""A line, and the replicas that it may have."""


class Mix(NamedTuple):
    """How many of either line make the next call; with none, when to ask again."""

    online: int
    background: int
    again_at: float = inf


def weigh(pool: Pool, copy: Copy, room: int, now: float) -> Mix:
    """Return what to send to this replica now, into `room` places."""
    waiting, behind = len(pool.waiting), len(pool.behind)
    owed = min(places_owed(pool), behind, room)
    spare = behind if may_take(copy) else 0
    if not waiting:
        return _background_alone(pool, spare, room, now)
    if waiting + max(spare, owed) >= room:
        online = min(waiting, room - owed)
        return Mix(online, room - online)
    count, again_at = gathering.weigh(pool, copy, room, now)
    return Mix(count, max(spare, owed)) if count else Mix(0, 0, again_at)


def _background_alone(pool: Pool, spare: int, room: int, now: float) -> Mix:
    if not spare:
        return Mix(0, 0)
    max_wait_s = pool.policy.batch.max_wait_s
    eldest = next(iter(pool.behind.values())).arrived
    count = batching.due(spare, eldest, room, max_wait_s, now)
    return Mix(0, count) if count else Mix(0, 0, eldest + max_wait_s)


def may_take(copy: Copy) -> bool:
    """Tell if background work may have a place of this replica that nobody online wants now."""
    if copy.pool.policy.slots:
        return copy.held < places(copy.pool.policy)
    return not copy.calls or 0 <= copy.pool.pace.t_s <= sending.WINDOW_S


def places(policy: Policy) -> int:
    """Return how many background requests a replica takes at once, where nobody else asks."""
    return policy.slots - int(policy.slots * SHARE) if policy.slots else policy.batch.max_size


def open_to_background(copies: Sequence[Copy]) -> list[Copy]:
    """Return those of these replicas that background work may have."""
    return [copy for copy in copies if may_take(copy)]


def turns(pool: Pool, copies: Sequence[Copy]) -> list[Turn]:
    """Return the lines in the order they are asked for a call, where none can be for both."""
    if not pool.behind:
        return [(pool.waiting, copies)]
    if places_owed(pool):
        return [(pool.behind, copies), (pool.waiting, copies)]
    return [(pool.waiting, copies), (pool.behind, open_to_background(copies))]


def begin(
    register: Register, pool: Pool, tickets: Sequence[Ticket], now: float, out: list[Action]
) -> int:
    """Keep the books of a call that is about to be sent; return how many are in the background.

    Their time begins now: how long they waited is nobody's loss.
    """
    background = 0
    for ticket in tickets:
        if ticket.lower is None:
            continue
        background += 1
        if ticket.lower.limit_s < inf:
            ticket.deadline = ticket.latest = now + ticket.lower.limit_s
            register.deadlines.add(ticket.deadline, ticket.id, register.tickets)
            register.wake(ticket.deadline)
            out.append(Due(ticket.id, ticket.deadline))
    owed = pool.owed + (len(tickets) - background) * DEBT - background
    pool.owed = min(max(owed, 0.0), most_owed(pool)) if pool.behind else 0.0
    return background


def places_owed(pool: Pool) -> int:
    """Return how many places of the next call are the background's by right."""
    return int(pool.owed + HAIR)


def most_owed(pool: Pool) -> float:
    """Return what background requests may be owed at most: one call of their own."""
    return float(pool.policy.batch.max_size)
