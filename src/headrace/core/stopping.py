"""What becomes of a call that nobody waits for: it is interrupted, or its replica is replaced.

Python code ends at once. A call that sits in C hears nothing; once it has gone on for the grace,
or for as long as its replica took to load where that is longer, the replica gets no new calls. It
is ended when nobody else waits for what it runs, and while every other replica of its deployment
is there. So clients who leave cost one replica at a time, and never more time than they wasted.
"""

from __future__ import annotations

from math import inf

from headrace.core.messages import Abort, Action, Interrupt, Stop
from headrace.core.phases import LEAVING
from headrace.core.records import Call, Copy, Pool, Ticket
from headrace.core.replicas import State, Turn, advance

LOADED = (State.READY, State.QUITTING)


def stop(call: Call, ticket: Ticket) -> Stop:
    """Tell the replica that runs the call that nobody waits for this request any more."""
    if not call.given_up and all(each.phase is LEAVING for each in call.tickets):
        call.given_up = True
        if call.copy.pool.policy.cancel_grace_s is not None:
            call.copy.pool.given_up.append(call)
    return Stop(call.copy.id, call.serial, call.tickets.index(ticket))


def look_after(pool: Pool, now: float, out: list[Action]) -> float:
    """End the calls that nobody waits for, or their replicas; return when to look again."""
    pool.given_up = [call for call in pool.given_up if goes_on(call)]
    for call in pool.given_up:
        if call.overdue_at == inf:
            call.overdue_at = now + patience_s(call.copy)
            out.append(Interrupt(call.copy.id, call.serial))
    for copy in pool.copies.values():
        if copy.state in LOADED:
            _judge(copy, now)
        if may_replace(copy):
            copy.state = advance(copy.state, Turn.REPLACED)
            out.append(Abort(copy.id))
        elif copy.state is State.RETIRING and hangs(copy, now) and not is_wanted(copy):
            copy.state = advance(copy.state, Turn.EVICTED)  # it would never be through
            out.append(Abort(copy.id))
    return due_at(pool, now)


def _judge(copy: Copy, now: float) -> None:
    """Give a replica that hangs no new calls; one that hangs no more gets some again."""
    wanted = State.QUITTING if hangs(copy, now) else State.READY
    if copy.state is not wanted:
        turn = Turn.HUNG if copy.state is State.READY else Turn.RECOVERED
        copy.state = advance(copy.state, turn)


def goes_on(call: Call) -> bool:
    """Tell if a replica still runs the call."""
    copy = call.copy
    there = copy.state is not State.GONE and copy.calls.get(call.serial) is call
    return there and not call.recalled


def patience_s(copy: Copy) -> float:
    """How long a call may go on that nobody waits for: a replica is not ended for less time."""
    return max(copy.pool.policy.cancel_grace_s or 0.0, copy.ready_at - copy.started_at)


def hangs(copy: Copy, now: float) -> bool:
    """Tell if one of its calls should have ended by now, or it should have told how it is."""
    if is_silent(copy):
        return True
    return any(call.copy is copy and call.overdue_at <= now for call in copy.pool.given_up)


def is_silent(copy: Copy) -> bool:
    """Tell if it was asked how it is, and has not answered."""
    return copy.checkup is not None and copy.checkup.silent


def silence_at(pool: Pool, now: float) -> float:
    """Return now where one has not answered, which may be its turn to go; else infinity."""
    return now if any(map(is_silent, pool.copies.values())) else inf


def may_replace(copy: Copy) -> bool:
    """Tell if a replica that hangs may be ended: nobody loses by it, and no other one is away."""
    if copy.state is not State.QUITTING or (is_wanted(copy) and not is_silent(copy)):
        return False
    there = sum(other.state in LOADED for other in copy.pool.copies.values())
    return there >= copy.pool.wanted


def is_wanted(copy: Copy) -> bool:
    """Tell if anybody waits for what the replica runs."""
    return any(
        ticket.phase is not LEAVING
        for call in copy.calls.values()
        if call.claimed and not call.recalled
        for ticket in call.tickets
    )


def due_at(pool: Pool, now: float) -> float:
    """When time alone makes a call overdue; infinite if it does not."""
    return min((call.overdue_at for call in pool.given_up if call.overdue_at > now), default=inf)
