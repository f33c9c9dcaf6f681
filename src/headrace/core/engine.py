"""The one mutable thing in the core: every request, call and replica, and who holds what.

Each event is a method that takes the time it happened and returns the actions it makes necessary.
A lone request goes to an idle replica at once. What else is to be *sent* is decided in `ticked`, at
the end of every turn of the loop: so all that arrived in one turn can share a batch and a write.

Invariants, checked by `core/check.py` after every step of every test: a request ends exactly once;
what is not ended is waiting, or in exactly one call of one replica; a call's answer reaches only
the requests that are in that call; the alarm is never later than the next due thing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from headrace.core import (
    admission,
    closing,
    family,
    filling,
    growing,
    routing,
    sending,
    stopping,
    tending,
    waking,
)
from headrace.core.draining import Shutdown, Stage
from headrace.core.flow import Flow
from headrace.core.loading import Presence
from headrace.core.messages import (
    Action,
    DeploymentId,
    Outcome,
    ReplicaId,
    RequestId,
    Serial,
    Settle,
    WakeAt,
    Why,
)
from headrace.core.phases import (
    RUNNING,
    after_release,
)
from headrace.core.records import NONE, Copy, Origin, Policy, Pool, Ticket
from headrace.core.register import Register
from headrace.core.replicas import State
from headrace.errors import ImpossibleStep

_ID = attrgetter("id")
AWAKE, ANSWERED, OPEN = (
    Presence.AWAKE,
    Outcome.ANSWERED,
    Stage.OPEN,
)  # as in core/phases.py: every request reads them


@dataclass(slots=True)
class Engine(Register):
    """Tell it what happened and when; do what it answers, in that order."""

    shutdown: Shutdown = field(default_factory=Shutdown)
    last: int = 0
    """The number of the youngest request."""

    # --- requests --------------------------------------------------------------------

    def arrived(  # noqa: PLR0913 - the facts of a request; an object for them costs what it decides
        self,
        request: RequestId,
        deployment: DeploymentId,
        *,
        deadline: float,
        now: float,
        size_bytes: int = 0,
        origin: Origin | None = None,
        model_id: str = "",
    ) -> list[Action]:
        """A caller wants an answer by `deadline`. Raises Refused if it may not wait for one.

        `origin` tells for which requests it is made: their code called a handle.
        """
        if request <= self.last:
            raise ImpossibleStep(
                f"request {request} is not above {self.last}: numbers are ours alone"
            )
        pool, self.last = self.pools[deployment], request
        elders = () if origin is None else family.alive(self.tickets, origin)
        if origin is not None and not origin.detached:
            if not elders:  # it asks for nobody
                return [Settle(request, Outcome.CANCELLED)]
            deadline = min(deadline, max(map(family.ends_by, elders)))
            family.check_ancestors(pool, family.ancestors(self.families, self.tickets, elders))
        # What runs may end, so it may still ask: a shutdown refuses only what comes from outside.
        ends = self.shutdown.stage is not OPEN or pool.exit.stage is not OPEN
        draining = ends and (not elders or pool.exit.stage >= Stage.EVICTING)
        admission.admit(pool, size_bytes, now, draining=draining)
        ticket = Ticket(request, pool, now, deadline, origin, size_bytes, model_id)
        if pool.policy.item_timeout_s is not None:
            deadline = ticket.expect_part(deadline, now)
        self.tickets[request] = ticket
        pool.join(ticket, now)
        if origin is not None:
            ticket.origin = self.families.remember(request, origin, elders)
        self.deadlines.add(deadline, request, self.tickets)
        if deadline < self.alarm:  # noqa: PLR1730 - min() costs four times as much
            self.alarm = deadline
        out: list[Action] = []
        if len(pool.waiting) == 1 and now < deadline and routing.has_idle(pool):
            filling.fill(self, pool, now, out)
        return out

    def hung_up(self, request: RequestId, now: float) -> list[Action]:
        """The caller went away."""
        out: list[Action] = []
        if (ticket := self.tickets.get(request)) is not None:
            ticket.pool.used_at = now
        self.abandon(request, Outcome.CANCELLED, out)
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
            copy.pool.used_at = now
            if not call.given_up:  # cut short, it says nothing of the pace
                copy.pool.learn(call, took_s, now)
            for place, ticket in enumerate(call.tickets):
                if ticket.phase is RUNNING:
                    out.append(Settle(ticket.id, ANSWERED, place))
                ticket.phase = after_release[ticket.phase]
                self.close(ticket, out)
        self._went_on(copy, now, out)
        return out

    def taken_back(self, replica: ReplicaId, serial: Serial, now: float) -> list[Action]:  # noqa: ARG002
        """Every call from `serial` on is ours again; the replica hands each over later."""
        out: list[Action] = []
        copy = self.fleet.copies.get(replica)
        if copy is not None:
            self.take_back([call for call in copy.calls.values() if call.serial >= serial], out)
        return out

    def returned(self, replica: ReplicaId, serial: Serial, now: float) -> list[Action]:
        """The replica handed a recalled call over, unrun."""
        out: list[Action] = []
        copy = self.fleet.copies.get(replica)
        call = None if copy is None else copy.calls.pop(serial, None)
        if copy is not None and call is not None:
            self.take_back([call], out)
            self._went_on(copy, now, out)
        return out

    # --- replicas --------------------------------------------------------------------

    def deployed(
        self, deployment: DeploymentId, policy: Policy, now: float, replicas: int | None = None
    ) -> list[Action]:
        """A deployment is to be served; its replicas are started, unless the end has begun.

        There are as many as its policy says, or for now as many as `replicas`; with 0 it sleeps.
        """
        if deployment in self.pools:
            raise ImpossibleStep(f"{deployment} is deployed already, and has requests of its own")
        pool = Pool(deployment, policy, flow=Flow(mark=now, before=now))
        self.pools[deployment] = pool
        waking.begin(pool, replicas, now)
        self.wake(pool.gauge.look_at)
        return [] if self.shutdown.stage is not OPEN else self.fleet.fit(pool, now)

    def scaled(self, deployment: DeploymentId, replicas: int, now: float) -> list[Action]:
        """There are to be so many replicas; those too many end their calls first."""
        pool = self.pools[deployment]
        if self.shutdown.stage is not OPEN or pool.exit.stage is not OPEN:
            return []
        if pool.policy.scale is not None:
            replicas = pool.policy.scale.within(replicas)
            pool.gauge.begin(pool.policy.scale, now)
            self.wake(min(pool.gauge.look_at, stopping.silence_at(pool, now)))
        pool.rest.full = replicas
        if pool.rest.presence is AWAKE:  # else there are so many when it is
            pool.wanted = replicas
        return self.fleet.fit(pool, now)

    def retuned(self, deployment: DeploymentId, policy: Policy, now: float) -> list[Action]:
        """Other bounds hold for a deployment from now on; its replicas stay, as far as they may."""
        pool = self.pools[deployment]
        pool.policy = policy
        if policy.scale is not None:
            return self.scaled(deployment, pool.wanted or policy.replicas, now)
        pool.gauge.end()
        return self.scaled(deployment, policy.replicas, now)

    def retired(
        self,
        deployment: DeploymentId,
        grace_s: float,
        now: float,
        company: Collection[DeploymentId] = (),
    ) -> list[Action]:
        """A deployment is to go: what it has may end within `grace_s`. Again: hurry.

        Its `company` goes too, and may call it: it stays as long as any of them has a request.
        """
        pool = self.pools[deployment]
        if self.shutdown.stage >= Stage.EVICTING:
            return []  # it goes with all the others
        if pool not in self.leaving:
            self.leaving.append(pool)
        others = (self.pools.get(each) for each in company if each != deployment)
        pool.company = tuple(other for other in others if other is not None)
        pool.exit.ask(grace_s, now)
        return self.ticked(now)

    def replica_ready(self, replica: ReplicaId, now: float) -> list[Action]:
        """A replica has loaded its model and takes calls."""
        self.fleet.ready(replica, now)
        copy = self.fleet.copies.get(replica)
        if copy is not None and copy.pool.policy.health is not None:
            self.wake(min(tending.begin(copy, now), stopping.silence_at(copy.pool, now)))
        return []

    def replica_gone(
        self, replica: ReplicaId, why: Why, *, claimed: Serial, now: float, chance: float
    ) -> list[Action]:
        """A replica ended; `claimed` is the last call it began, `chance` spreads restarts."""
        copy = self.fleet.copies.get(replica)
        if copy is None:
            return []
        copy.pool.used_at = now
        evicting = self.shutdown.stage >= Stage.EVICTING
        out = self.fleet.gone(copy, why, evicting=evicting, now=now, chance=chance)
        self.wake(min(copy.pool.restarts, default=inf))
        calls = [call for call in copy.calls.values() if not call.recalled]
        self.take_back([call for call in calls if call.serial > claimed], out)
        for call in calls:
            if call.serial <= claimed:
                self.bury(call, why, now, out)
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
            if self.shutdown.stage is OPEN:
                tending.go_on(self, now, out)
                growing.go_on(self, now, out)
        if self.leaving or self.shutdown.stage is not OPEN:
            closing.go_on(self, self.shutdown, now, out)
        stirs = rang
        for pool in self.pools.values():
            stirs = stirs or pool.restless
            self._go_on(pool, now, out, rang=rang)
        if stirs:
            waking.go_on(self, now, out, is_open=self.shutdown.stage is OPEN)
        if self.alarm < self.rung and self.shutdown.stage is not Stage.DONE:
            self.rung = self.alarm
            out.append(WakeAt(self.alarm))
        return out

    def _go_on(self, pool: Pool, now: float, out: list[Action], *, rang: bool) -> None:
        pool.flow.roll(now)
        if rang or pool.given_up:
            self._look_after(pool, now, out)
        if pool.suspects:
            filling.try_suspects(self, pool, now, out)
        if pool.waiting or pool.behind:
            filling.fill(self, pool, now, out)

    def _expire(self, now: float, out: list[Action]) -> None:
        for request in self.deadlines.late(now, self.tickets):
            if (ticket := self.tickets.get(request)) is not None:  # else it left with its parent
                ticket.pool.used_at = now
                self.abandon(request, Outcome.EXPIRED, out)
        self.alarm, self.rung = self.deadlines.next_at(), inf

    @property
    def has_turn(self) -> bool:
        """Whether the end of this turn has anything to decide."""
        if self.alarm < self.rung or self.leaving or self.shutdown.stage is not OPEN:
            return True
        return any(
            pool.waiting or pool.suspects or pool.given_up or pool.restless or pool.behind
            for pool in self.pools.values()
        )

    # --- going on --------------------------------------------------------

    def _went_on(self, copy: Copy, now: float, out: list[Action]) -> None:
        """A call left the replica. A leaf goes on to its next one by itself: no message says so."""
        if not copy.calls or next(reversed(copy.calls)) < copy.recalled_from:
            copy.recalled_from = NONE
        if not copy.calls and copy.state is State.RETIRING:
            out.append(self.fleet.let_go(copy))
        if copy.calls and not copy.pool.policy.slots:
            call = sending.head(copy)
            if not call.claimed and not call.recalled:
                self.claim(call, now, out)
                if self.alarm > now + sending.OVERRUN_S:  # else it rings first, and asks anew
                    self.wake(sending.overrun_at(copy))

    def _look_after(self, pool: Pool, now: float, out: list[Action]) -> None:
        """Start replicas that are due, recall calls from those that are late, end what hangs."""
        if pool.restarts:
            out += self.fleet.restart(pool, now)
            self.wake(min(pool.restarts, default=inf))
        for copy in pool.copies.values():
            when = sending.overrun_at(copy)
            if now >= when:
                out.append(sending.recall(list(copy.calls.values())[1]))
            else:
                self.wake(when)
        if pool.given_up or pool.policy.health is not None:
            self.wake(stopping.look_after(pool, now, out))
