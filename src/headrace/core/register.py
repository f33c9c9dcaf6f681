"""The engine's books: every request, call and replica, and the steps that keep them true.

What an event means is told in `core/engine.py`; here is what it does to the records, one step a
method, so that each is done one way, whoever has a reason for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from headrace.core import poison, queueing, sending, stopping
from headrace.core.deadlines import Deadlines
from headrace.core.family import Families
from headrace.core.fleet import Fleet
from headrace.core.messages import (
    Action,
    Again,
    DeploymentId,
    Left,
    Outcome,
    RequestId,
    Send,
    Serial,
    Settle,
    Why,
)
from headrace.core.phases import (
    CLOSED,
    LEAVING,
    WAITING,
    after_abandon,
    after_claim,
    after_lose,
    after_return,
    after_send,
)
from headrace.core.records import Call, Copy, Pool, Ticket
from headrace.core.replicas import State

_ID = attrgetter("id")


@dataclass(slots=True)
class Register:
    """Who is there, who holds what, and when the next thing is due."""

    tickets: dict[RequestId, Ticket] = field(default_factory=dict)
    pools: dict[DeploymentId, Pool] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    families: Families = field(default_factory=Families)
    deadlines: Deadlines = field(default_factory=Deadlines)
    leaving: list[Pool] = field(default_factory=list)
    """Deployments on their way out, while the server goes on."""
    budget_bytes: float = inf
    """What all models may take together: see core/waking.py."""
    alarm: float = inf
    rung: float = inf
    """The alarm the driver was last told."""

    # --- time ------------------------------------------------------------------------

    def wake(self, when: float) -> None:
        """See to it that the engine is asked again at this time at the latest."""
        if when < self.alarm:  # noqa: PLR1730 - as in `arrived`
            self.alarm = when

    def expect(self, ticket: Ticket, now: float) -> None:
        """The next part of a stream is due from now on."""
        deadline = ticket.expect_part(ticket.latest, now)
        self.deadlines.add(deadline, ticket.id, self.tickets)
        self.wake(deadline)

    # --- calls -----------------------------------------------------------------------

    def send(
        self,
        copy: Copy,
        tickets: list[Ticket],
        now: float,
        out: list[Action],
        background: int = 0,
    ) -> None:
        """Send these to a replica as one call; an idle one has begun it with that.

        So many of them are in the `background`.
        """
        copy.serial += 1
        serial = Serial(copy.serial)
        call = Call(serial, copy, tickets, copy.pool.pace.predict_s(len(tickets)))
        call.background = background
        for ticket in tickets:
            ticket.phase = after_send[ticket.phase]
            ticket.call = call
        idle = not copy.calls
        copy.count_in(call)
        out.append(Send(copy.id, serial, tuple(map(_ID, tickets))))
        if idle or copy.pool.policy.slots:
            self.claim(call, now, out)
        elif self.alarm > copy.since + sending.OVERRUN_S:  # else it rings first, and asks anew
            self.wake(sending.overrun_at(copy))

    def claim(self, call: Call, now: float, out: list[Action]) -> None:
        """The replica runs the call from now on."""
        call.copy.count_begun(call, now)
        for ticket in call.tickets:
            if ticket.phase is LEAVING:  # nobody told the replica while it had not begun
                out.append(stopping.stop(call, ticket))
            ticket.phase = after_claim[ticket.phase]

    def take_back(self, calls: list[Call], out: list[Action]) -> None:
        """Let the requests of these calls wait again: they were never begun."""
        for call in reversed(calls):  # so each goes straight to the front
            if call.recalled:
                continue
            call.recalled = True
            call.copy.count_out(call)
            for ticket in call.tickets:
                ticket.phase = after_return[ticket.phase]
            self.wait_again(call.tickets, out)

    def bury(self, call: Call, why: Why, now: float, out: list[Action]) -> None:
        """End or retry the requests of a call that its replica died in."""
        if not call.claimed:
            self.claim(call, now, [])  # its last finish went down with it
        call.copy.count_out(call)
        for ticket in call.tickets:
            ticket.deaths += (why,)
            ticket.phase = after_lose[ticket.phase]
            allowed = ticket.may_repeat
            if ticket.phase is WAITING and not poison.try_again(ticket.deaths, allowed=allowed):
                ticket.phase = after_abandon[ticket.phase]
                is_blamed = ticket.lower is not None and poison.is_proven(call, why)
                out.append(Settle(ticket.id, Outcome.BLAMED if is_blamed else Outcome.LOST))
        out += [Again(ticket.id) for ticket in call.tickets if ticket.phase is WAITING]
        self.wait_again(call.tickets, out)

    def wait_again(self, tickets: list[Ticket], out: list[Action]) -> None:
        """Put requests back whose call is no more; close those that nobody waits for."""
        for ticket in tickets:
            ticket.call = None
        if staying := [ticket for ticket in tickets if ticket.phase is WAITING]:
            queueing.put_back(staying)
        for ticket in tickets:
            if ticket.phase is CLOSED:
                self.close(ticket, out)
            else:
                self.end_children(ticket.id, out)  # whoever asked for them asks no more

    # --- endings ---------------------------------------------------------------------

    def abandon(self, request: RequestId, outcome: Outcome, out: list[Action]) -> None:
        """End a request before its answer; whoever runs it is told."""
        ticket = self.tickets.get(request)
        if ticket is None:
            return
        before, ticket.phase = ticket.phase, after_abandon[ticket.phase]
        if before is LEAVING:
            return
        out.append(Settle(request, outcome))
        call = ticket.call
        if call is None:
            queueing.leave(ticket)
            self.close(ticket, out)
            return
        copy = call.copy
        if copy.state is State.GONE:
            pass  # its calls are being buried, and there is nobody to tell
        elif call.claimed:
            out.append(stopping.stop(call, ticket))
        elif not copy.recalled_from and sending.worth_recalling(call):
            out.append(sending.recall(call))
        self.end_children(request, out)

    def close(self, ticket: Ticket, out: list[Action]) -> None:
        """Forget a request: nobody has it any more."""
        del self.tickets[ticket.id]
        ticket.call = None  # else the two would keep each other alive until the collector comes
        ticket.pool.flow.ended += 1
        if ticket.lower is not None:
            ticket.pool.lowers -= 1
            out.append(Left(ticket.id))
        if self.families.children:
            self.families.closed(ticket)
            self.end_children(ticket.id, out)

    def end_children(self, parent: RequestId, out: list[Action]) -> None:
        """End what this request had asked for."""
        for child in self.families.orphaned(parent):
            self.abandon(child, Outcome.CANCELLED, out)
