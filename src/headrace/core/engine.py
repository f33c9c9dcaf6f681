"""The one mutable thing in the core: every request, call and replica, and who holds what.

Each event is a method that takes the time it happened and returns the actions it makes necessary.
A lone request goes to an idle replica at once. What else is to be *sent* is decided in `ticked`, at
the end of every turn of the loop: so all that arrived in one turn can share a batch and a write.

Invariants, checked by `core/check.py` after every step of every test: a request ends exactly once;
what is not ended is waiting, or in exactly one call of one replica; a call's answer reaches only
the requests that are in that call; the alarm is never later than the next due thing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from headrace.core import admission, gathering, poison, queueing, routing, sending, stopping
from headrace.core.deadlines import Deadlines
from headrace.core.draining import Shutdown, Stage
from headrace.core.family import Families
from headrace.core.fleet import Fleet
from headrace.core.flow import Flow
from headrace.core.messages import (
    Action,
    Again,
    DeploymentId,
    Outcome,
    ReplicaId,
    RequestId,
    Send,
    Serial,
    Settle,
    WakeAt,
    Why,
)
from headrace.core.phases import (
    CLOSED,
    LEAVING,
    RUNNING,
    WAITING,
    after_abandon,
    after_claim,
    after_lose,
    after_release,
    after_return,
    after_send,
)
from headrace.core.records import NONE, Call, Copy, Policy, Pool, Ticket
from headrace.core.replicas import State
from headrace.errors import ImpossibleStep

_ID = attrgetter("id")
ANSWERED, OPEN = Outcome.ANSWERED, Stage.OPEN  # as in core/phases.py: every request reads them


@dataclass(slots=True)
class Engine:
    """Tell it what happened and when; do what it answers, in that order."""

    tickets: dict[RequestId, Ticket] = field(default_factory=dict)
    pools: dict[DeploymentId, Pool] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    shutdown: Shutdown = field(default_factory=Shutdown)
    families: Families = field(default_factory=Families)
    deadlines: Deadlines = field(default_factory=Deadlines)
    last: int = 0
    """The number of the youngest request."""
    alarm: float = inf
    rung: float = inf
    """The alarm the driver was last told."""

    # --- requests --------------------------------------------------------------------

    def arrived(
        self,
        request: RequestId,
        deployment: DeploymentId,
        *,
        deadline: float,
        now: float,
        size_bytes: int = 0,
        parent: RequestId | None = None,
    ) -> list[Action]:
        """A caller wants an answer by `deadline`. Raises Refused if it may not wait for one."""
        if request <= self.last:
            raise ImpossibleStep(
                f"request {request} is not above {self.last}: numbers are ours alone"
            )
        pool, self.last = self.pools[deployment], request
        if parent is not None:
            elder = self.tickets.get(parent)
            if elder is None or elder.phase is not RUNNING:  # it asks for nobody
                return [Settle(request, Outcome.CANCELLED)]
            deadline = min(deadline, elder.deadline)
        # What runs may end, so it may still ask: a shutdown refuses only what comes from outside.
        draining = parent is None and self.shutdown.stage is not OPEN
        admission.admit(pool, size_bytes, now, draining=draining)
        ticket = Ticket(request, pool, now, deadline, parent, size_bytes)
        if pool.policy.item_timeout_s is not None:
            deadline = ticket.expect_part(deadline, now)
        self.tickets[request] = ticket
        pool.join(ticket, now)
        if parent is not None:
            self.families.born(request, parent)
        self.deadlines.add(deadline, request, self.tickets)
        if deadline < self.alarm:  # noqa: PLR1730 - min() costs four times as much
            self.alarm = deadline
        out: list[Action] = []
        if len(pool.waiting) == 1 and now < deadline and routing.has_idle(pool):
            self._fill(pool, now, out)
        return out

    def hung_up(self, request: RequestId, now: float) -> list[Action]:  # noqa: ARG002 - every event has its time
        """The caller went away."""
        out: list[Action] = []
        self._abandon(request, Outcome.CANCELLED, out)
        return out

    # --- calls -----------------------------------------------------------------------

    def finished(
        self, replica: ReplicaId, serial: Serial, took_s: float, now: float
    ) -> list[Action]:
        """A replica ended a call, in `took_s` seconds of its own clock. A stale one is dropped."""
        out: list[Action] = []
        copy = self.fleet.copies.get(replica)
        call = None if copy is None else copy.calls.pop(serial, None)
        if copy is None or call is None:
            return out
        if not call.recalled:  # else it is in another call by now: this answer is nobody's
            copy.count_out(call)
            if not call.given_up:  # cut short, it says nothing of the pace
                copy.pool.learn(len(call.tickets), took_s, now)
            for place, ticket in enumerate(call.tickets):
                if ticket.phase is RUNNING:
                    out.append(Settle(ticket.id, ANSWERED, place))
                ticket.phase = after_release[ticket.phase]
                self._close(ticket, out)
        self._went_on(copy, now, out)
        return out

    def taken_back(self, replica: ReplicaId, serial: Serial, now: float) -> list[Action]:  # noqa: ARG002
        """Every call from `serial` on is ours again; the replica hands each over later."""
        out: list[Action] = []
        copy = self.fleet.copies.get(replica)
        if copy is not None:
            self._take_back([call for call in copy.calls.values() if call.serial >= serial], out)
        return out

    def returned(self, replica: ReplicaId, serial: Serial, now: float) -> list[Action]:
        """The replica handed a recalled call over, unrun."""
        out: list[Action] = []
        copy = self.fleet.copies.get(replica)
        call = None if copy is None else copy.calls.pop(serial, None)
        if copy is not None and call is not None:
            self._take_back([call], out)
            self._went_on(copy, now, out)
        return out

    # --- replicas --------------------------------------------------------------------

    def deployed(self, deployment: DeploymentId, policy: Policy, now: float) -> list[Action]:
        """A deployment is to be served; its replicas are started, unless the end has begun."""
        if deployment in self.pools:
            raise ImpossibleStep(f"{deployment} is deployed already, and has requests of its own")
        pool = self.pools[deployment] = Pool(deployment, policy, flow=Flow(mark=now, before=now))
        if self.shutdown.stage is not OPEN:
            return []
        return [self.fleet.start(pool, now) for _ in range(policy.replicas)]

    def replica_ready(self, replica: ReplicaId, now: float) -> list[Action]:
        """A replica has loaded its model and takes calls."""
        self.fleet.ready(replica, now)
        return []

    def replica_gone(
        self, replica: ReplicaId, why: Why, *, claimed: Serial, now: float, chance: float
    ) -> list[Action]:
        """A replica ended; `claimed` is the last call it began, `chance` spreads restarts."""
        copy = self.fleet.copies.get(replica)
        if copy is None:
            return []
        evicting = self.shutdown.stage >= Stage.EVICTING
        out = self.fleet.gone(copy, why, evicting=evicting, now=now, chance=chance)
        self._wake(min(copy.pool.restarts, default=inf))
        calls = [call for call in copy.calls.values() if not call.recalled]
        self._take_back([call for call in calls if call.serial > claimed], out)
        for call in calls:
            if call.serial <= claimed:
                self._bury(call, why, now, out)
        return out

    # --- time ------------------------------------------------------------------------

    def asked_to_stop(self, grace_s: float, now: float) -> list[Action]:
        """Refuse what comes from now on, let the rest end within `grace_s`. Again: hurry."""
        self.shutdown.ask(grace_s, now)
        return self.ticked(now)

    def ticked(self, now: float) -> list[Action]:
        """A turn of the loop ends, or the alarm rang: end what is late, send what is due."""
        out: list[Action] = []
        rang = now >= self.alarm
        if rang:  # every source of alarms is asked anew
            self._expire(now, out)
        if self.shutdown.stage is not OPEN:
            self._shut_down(now, out)
        for pool in self.pools.values():
            pool.flow.roll(now)
            if rang or pool.given_up:
                self._look_after(pool, now, out)
            if pool.suspects:
                self._try_suspects(pool, now, out)
            if pool.waiting:
                self._fill(pool, now, out)
        if self.alarm < self.rung and self.shutdown.stage is not Stage.DONE:
            self.rung = self.alarm
            out.append(WakeAt(self.alarm))
        return out

    def _expire(self, now: float, out: list[Action]) -> None:
        for request in self.deadlines.late(now, self.tickets):
            self._abandon(request, Outcome.EXPIRED, out)
        self.alarm, self.rung = self.deadlines.next_at(), inf

    @property
    def has_turn(self) -> bool:
        """Whether the end of this turn has anything to decide."""
        busy = self.alarm < self.rung or self.shutdown.stage is not OPEN
        return busy or any(p.waiting or p.suspects or p.given_up for p in self.pools.values())

    def expect(self, ticket: Ticket, now: float) -> None:
        """The next part of a stream is due from now on."""
        deadline = ticket.expect_part(ticket.latest, now)
        self.deadlines.add(deadline, ticket.id, self.tickets)
        self._wake(deadline)

    def _wake(self, when: float) -> None:
        if when < self.alarm:  # noqa: PLR1730 - as in `arrived`
            self.alarm = when

    def _shut_down(self, now: float, out: list[Action]) -> None:
        before = self.shutdown.stage
        stage = self.shutdown.step(live=len(self.tickets), replicas=len(self.fleet.copies), now=now)
        if before < Stage.EVICTING <= stage:
            for request in list(self.tickets):
                self._abandon(request, Outcome.CUT, out)
            for pool in self.pools.values():
                pool.restarts.clear()
        out += self.fleet.evict(before, stage)
        self._wake(self.shutdown.next_at())

    # --- sending, taking back --------------------------------------------------------

    def _fill(self, pool: Pool, now: float, out: list[Action]) -> None:
        waiting, copies = pool.waiting, routing.open_copies(pool)
        while waiting:
            chosen = routing.choose(copies, now)
            if chosen is None:
                self._wake(routing.opens_at(copies, now))
                return
            copy, room = chosen
            count, again_at = gathering.weigh(pool, copy, room, now)
            if not count:
                self._wake(again_at)
                return
            self._send(copy, queueing.take(waiting, count), now, out)

    def _try_suspects(self, pool: Pool, now: float, out: list[Action]) -> None:
        """Send each alone, and to a replica that has no other: a crash has one culprit."""
        for request, ticket in list(pool.suspects.items()):
            copies = [c for c in routing.open_copies(pool) if not sending.has_suspect(c)]
            chosen = routing.choose(copies, now)
            if chosen is None:
                self._wake(routing.opens_at(copies, now))
                return
            del pool.suspects[request]
            self._send(chosen[0], [ticket], now, out)

    def _send(self, copy: Copy, tickets: list[Ticket], now: float, out: list[Action]) -> None:
        copy.serial += 1
        serial = Serial(copy.serial)
        call = Call(serial, copy, tickets, copy.pool.pace.predict_s(len(tickets)))
        for ticket in tickets:
            ticket.phase = after_send[ticket.phase]
            ticket.call = call
        idle = not copy.calls
        copy.count_in(call)
        out.append(Send(copy.id, serial, tuple(map(_ID, tickets))))
        if idle or copy.pool.policy.slots:
            self._claim(call, now, out)
        elif self.alarm > copy.since + sending.OVERRUN_S:  # else it rings first, and asks anew
            self._wake(sending.overrun_at(copy))

    def _claim(self, call: Call, now: float, out: list[Action]) -> None:
        call.copy.count_begun(call, now)
        for ticket in call.tickets:
            if ticket.phase is LEAVING:  # nobody told the replica while it had not begun
                out.append(stopping.stop(call, ticket))
            ticket.phase = after_claim[ticket.phase]

    def _went_on(self, copy: Copy, now: float, out: list[Action]) -> None:
        """A call left the replica. A leaf goes on to its next one by itself: no message says so."""
        if not copy.calls or next(reversed(copy.calls)) < copy.recalled_from:
            copy.recalled_from = NONE
        if copy.calls and not copy.pool.policy.slots:
            call = sending.head(copy)
            if not call.claimed and not call.recalled:
                self._claim(call, now, out)
                if self.alarm > now + sending.OVERRUN_S:  # else it rings first, and asks anew
                    self._wake(sending.overrun_at(copy))

    def _look_after(self, pool: Pool, now: float, out: list[Action]) -> None:
        """Start replicas that are due, recall calls from those that are late, end what hangs."""
        if pool.restarts:
            out += self.fleet.restart(pool, now)
            self._wake(min(pool.restarts, default=inf))
        for copy in pool.copies.values():
            when = sending.overrun_at(copy)
            if now >= when:
                out.append(sending.recall(list(copy.calls.values())[1]))
            else:
                self._wake(when)
        if pool.given_up:
            self._wake(stopping.look_after(pool, now, out))

    def _take_back(self, calls: list[Call], out: list[Action]) -> None:
        """Let the requests of these calls wait again: they were never begun."""
        for call in reversed(calls):  # so each goes straight to the front
            if call.recalled:
                continue
            call.recalled = True
            call.copy.count_out(call)
            for ticket in call.tickets:
                ticket.phase = after_return[ticket.phase]
            self._wait_again(call.tickets, out)

    def _bury(self, call: Call, why: Why, now: float, out: list[Action]) -> None:
        """End or retry the requests of a call that its replica died in."""
        if not call.claimed:
            self._claim(call, now, [])  # its last finish went down with it
        call.copy.count_out(call)
        for ticket in call.tickets:
            ticket.deaths += (why,)
            ticket.phase = after_lose[ticket.phase]
            allowed = ticket.pool.policy.retry_on_crash and not ticket.streamed
            if ticket.phase is WAITING and not poison.try_again(ticket.deaths, allowed=allowed):
                ticket.phase = after_abandon[ticket.phase]
                out.append(Settle(ticket.id, Outcome.LOST))
        out += [Again(ticket.id) for ticket in call.tickets if ticket.phase is WAITING]
        self._wait_again(call.tickets, out)

    def _wait_again(self, tickets: list[Ticket], out: list[Action]) -> None:
        for ticket in tickets:
            ticket.call = None
        if staying := [ticket for ticket in tickets if ticket.phase is WAITING]:
            queueing.put_back(staying)
        for ticket in tickets:
            if ticket.phase is CLOSED:
                self._close(ticket, out)
            else:
                self.end_children(ticket.id, out)  # whoever asked for them asks no more

    # --- endings ---------------------------------------------------------------------

    def _abandon(self, request: RequestId, outcome: Outcome, out: list[Action]) -> None:
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
            self._close(ticket, out)
            return
        copy = call.copy
        if copy.state is State.GONE:
            pass  # its calls are being buried, and there is nobody to tell
        elif call.claimed:
            out.append(stopping.stop(call, ticket))
        elif not copy.recalled_from and sending.worth_recalling(call):
            out.append(sending.recall(call))
        self.end_children(request, out)

    def _close(self, ticket: Ticket, out: list[Action]) -> None:
        del self.tickets[ticket.id]
        ticket.call = None  # else the two would keep each other alive until the collector comes
        ticket.pool.flow.ended += 1
        if self.families.children:
            self.families.closed(ticket)
            self.end_children(ticket.id, out)

    def end_children(self, parent: RequestId, out: list[Action]) -> None:
        """End what this request had asked for."""
        for child in self.families.orphaned(parent):
            self._abandon(child, Outcome.CANCELLED, out)
