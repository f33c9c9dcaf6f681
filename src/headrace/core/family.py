"""Parent and child requests: deadlines shrink downwards, endings cascade downwards.

A request's code asks others through handles. Code that serves several requests at once, such as a
batch, asks for all of them: what it asked for ends when none of them is left. A detached child is
nobody's: it has a deadline of its own, and remembers its parents only so that a call that waits for
itself is found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace.core.messages import RequestId, Serial
from headrace.core.phases import RUNNING
from headrace.core.records import Copy, Origin, Pool, Ticket
from headrace.core.replicas import State
from headrace.errors import CallToAncestor

Tickets = Mapping[RequestId, Ticket]
TAKES_CALLS = (State.LOADING, State.READY, State.QUITTING)


@dataclass(slots=True)
class Families:
    """Who is whose child, among the requests that are not closed. Detached ones are nobody's."""

    children: dict[RequestId, set[RequestId]] = field(default_factory=dict)
    """Empty in most servers: asking that first spares every request two calls."""
    shared: dict[RequestId, set[RequestId]] = field(default_factory=dict)
    """The parents that are left of a child that had several."""

    def remember(self, child: RequestId, origin: Origin, elders: Sequence[Ticket]) -> Origin:
        """Note for whom a request is made, of those only who still run; return that."""
        parents = tuple(elder.id for elder in elders)
        if not origin.detached:
            self.born(child, parents)
        return Origin(parents, origin.detached)

    def born(self, child: RequestId, parents: Sequence[RequestId]) -> None:
        """Remember a child of these."""
        for parent in parents:
            self.children.setdefault(parent, set()).add(child)
        if len(parents) > 1:
            self.shared[child] = set(parents)

    def left_of(self, child: RequestId, origin: Origin) -> Origin:
        """Return for whom a request still is; one of several that runs anew asks no more."""
        left = self.shared.get(child)
        return origin if left is None else Origin(tuple(sorted(left)))

    def closed(self, ticket: Ticket) -> None:
        """Forget a request, if it is one of somebody's children."""
        if ticket.origin is None:
            return
        self.shared.pop(ticket.id, None)
        for parent in ticket.origin.parents:
            siblings = self.children.get(parent)
            if siblings is not None:
                siblings.discard(ticket.id)
                if not siblings:
                    del self.children[parent]

    def orphaned(self, parent: RequestId) -> list[RequestId]:
        """Take out the children that `parent`'s end ends too, in the order of their ids."""
        children = sorted(self.children.pop(parent, ()))
        return [child for child in children if self._is_orphan(child, parent)]

    def _is_orphan(self, child: RequestId, parent: RequestId) -> bool:
        left = self.shared.get(child)
        if left is None:
            return True
        left.discard(parent)
        if not left:
            del self.shared[child]
        return not left


def origin_of(
    copy: Copy | None, serial: Serial, place: int, *, detached: bool = False
) -> Origin | None:
    """Tell for whom code asks that runs in a call of a replica; a negative place is all of it.

    None where it runs in no call.
    """
    if not serial:
        return None
    call = None if copy is None else copy.calls.get(serial)
    if call is None or call.recalled:
        return Origin((), detached)
    tickets = call.tickets if place < 0 else call.tickets[place : place + 1]
    return Origin(tuple(ticket.id for ticket in tickets if ticket.phase is RUNNING), detached)


def alive(tickets: Tickets, origin: Origin) -> Sequence[Ticket]:
    """Return those of the parents that still run."""
    found = (tickets.get(parent) for parent in origin.parents)
    return [ticket for ticket in found if ticket is not None and ticket.phase is RUNNING]


def ends_by(ticket: Ticket) -> float:
    """Return by when a request has ended in any case; that of a stream moves no further."""
    return ticket.deadline if ticket.pool.policy.item_timeout_s is None else ticket.latest


def ancestors(
    families: Families, tickets: Tickets, elders: Sequence[Ticket]
) -> dict[RequestId, Ticket]:
    """Return these, those that they were made for, and so on; all of them run."""
    found: dict[RequestId, Ticket] = {}
    beyond = list(elders)
    while beyond:
        ticket = beyond.pop()
        if ticket.id not in found:
            found[ticket.id] = ticket
            if ticket.origin is not None:
                beyond += alive(tickets, families.left_of(ticket.id, ticket.origin))
    return found


def check_ancestors(pool: Pool, waiting: Mapping[RequestId, Ticket]) -> None:
    """Raise CallToAncestor if a request to `pool` would wait for these, who wait for it."""
    if not any(elder.pool is pool for elder in waiting.values()):
        return
    open_ = [copy for copy in pool.copies.values() if copy.state in TAKES_CALLS]
    if open_ and len(open_) >= pool.wanted and all(_is_held(copy, waiting) for copy in open_):
        asker, name = next(iter(waiting.values())).pool.id, pool.id
        raise CallToAncestor(
            f"{asker} calls {name}, which already waits for this very call: requests that it is "
            f"made for hold all that {name} can run at once, so it could never begin. Give {name} "
            "more replicas or a higher max_ongoing_requests, or call it before, not within"
        )


def _is_held(copy: Copy, ancestors: Mapping[RequestId, Ticket]) -> bool:
    """Tell whether nothing can begin in a replica before one of these has ended."""
    if copy.state is State.LOADING:
        return False
    held = [
        len(call.tickets)
        for call in copy.calls.values()
        if call.claimed and not call.recalled and any(t.id in ancestors for t in call.tickets)
    ]
    return sum(held) >= max(1, copy.pool.policy.slots)
