"""What happens to a request whose answer comes in parts, from the first part to the last.

A stream that has begun is never run again: its reader has seen a part of it. Its deadline moves
with each part, as far as the request's own: a stream may be long, but it must go on.
"""

from __future__ import annotations

from headrace.core import credit
from headrace.core.engine import Engine
from headrace.core.messages import (
    Action,
    Grant,
    Outcome,
    ReplicaId,
    RequestId,
    Serial,
    Settle,
)
from headrace.core.phases import RUNNING, after_part
from headrace.core.records import Ticket


def part_came(
    engine: Engine, replica: ReplicaId, serial: Serial, place: int, now: float
) -> RequestId | None:
    """Tell whose part a replica has sent; None if nobody waits for it any more."""
    ticket = _running(engine, replica, serial, place)
    if ticket is None:
        return None
    ticket.streamed = True
    ticket.under_way += 1
    if ticket.under_way < credit.WINDOW and ticket.is_timed:
        ticket.expect_part(ticket.latest, now)
    elif ticket.pool.policy.item_timeout_s is not None:
        ticket.deadline = ticket.latest  # it is its reader's turn, however long that takes
    return ticket.id


def ended_early(engine: Engine, replica: ReplicaId, serial: Serial, place: int) -> list[Action]:
    """One answer of a call is complete, while others of the call go on."""
    out: list[Action] = []
    ticket = _running(engine, replica, serial, place)
    if ticket is not None:
        ticket.phase = after_part[ticket.phase]
        out.append(Settle(ticket.id, Outcome.ANSWERED, place))
        engine.end_children(ticket.id, out)
    return out


def took(engine: Engine, request: RequestId, parts: int, now: float) -> list[Action]:
    """The reader took so many parts; with new credit the next one is due again."""
    ticket = engine.tickets.get(request)
    if ticket is None or ticket.phase is not RUNNING or ticket.call is None:
        return []
    ticket.taken += parts
    more = credit.grant(ticket.taken)
    if not more:
        return []
    had_none = ticket.under_way >= credit.WINDOW
    ticket.taken = 0
    ticket.under_way -= more
    if had_none and ticket.is_timed:
        engine.expect(ticket, now)
    call = ticket.call
    return [Grant(call.copy.id, call.serial, call.tickets.index(ticket), more)]


def request_of(engine: Engine, replica: ReplicaId, serial: Serial, place: int) -> RequestId | None:
    """Tell which request is at a place of a call; None if nobody waits for it any more."""
    ticket = _running(engine, replica, serial, place)
    return None if ticket is None else ticket.id


def repeats(engine: Engine, request: RequestId, allowed: bool) -> None:  # noqa: FBT001 - the fact
    """Note whether this one may be run again, whatever its deployment's policy says."""
    ticket = engine.tickets.get(request)
    if ticket is not None:
        ticket.repeatable = allowed


def _running(engine: Engine, replica: ReplicaId, serial: Serial, place: int) -> Ticket | None:
    copy = engine.fleet.copies.get(replica)
    call = None if copy is None else copy.calls.get(serial)
    if call is None or call.recalled:
        return None
    ticket = call.tickets[place]
    return ticket if ticket.phase is RUNNING else None
