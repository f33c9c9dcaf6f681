"""Which replicas there are to be: start them, replace the dead, let them go at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace.core import stopping
from headrace.core.draining import Stage
from headrace.core.messages import Action, Drained, Evict, GiveUp, Kill, ReplicaId, Start, Why
from headrace.core.records import Copy, Pool
from headrace.core.replicas import STEADY_AFTER_S, State, Turn, advance, restart_delay_s

STAYING = (State.LOADING, State.READY, State.QUITTING, State.DOOMED)


@dataclass(slots=True)
class Fleet:
    """Every replica of every deployment that is not gone."""

    copies: dict[ReplicaId, Copy] = field(default_factory=dict)

    def start(self, pool: Pool, now: float) -> Start:
        """Add a replica under a name that was never used before."""
        pool.started += 1
        replica = ReplicaId(f"{pool.id}/{pool.started}")
        self.copies[replica] = pool.copies[replica] = Copy(replica, pool, started_at=now)
        return Start(pool.id, replica)

    def ready(self, replica: ReplicaId, now: float) -> None:
        """Let a replica take calls, unless it is already to go."""
        copy = self.copies.get(replica)
        if copy is not None:
            copy.state = advance(copy.state, Turn.LOADED)
            copy.ready_at = copy.since = now
            if copy.state is State.READY and not copy.pool.ever_ready:
                copy.pool.awoke(copy, now)

    def fit(self, pool: Pool, now: float) -> list[Action]:
        """Start or let go replicas until there are as many as wanted."""
        staying = [copy for copy in pool.copies.values() if copy.state in STAYING]
        missing = pool.wanted - len(staying) - len(pool.restarts)
        out: list[Action] = []
        for copy in _retiring(pool, now)[: max(missing, 0)]:
            copy.state = advance(copy.state, Turn.KEPT)
            missing -= 1
        out += [self.start(pool, now) for _ in range(missing)]
        while missing < 0 and pool.restarts:
            pool.restarts.pop()
            missing += 1
        for copy in sorted(filter(_may_go, staying), key=_worth)[: max(-missing, 0)]:
            out += self.retire(copy)
        return out

    def retire(self, copy: Copy) -> list[Action]:
        """Give a replica no more calls; without any it goes at once."""
        if copy.state is not State.LOADING:
            copy.state = advance(copy.state, Turn.RETIRED)
        return [] if copy.calls else [self.let_go(copy)]

    def let_go(self, copy: Copy) -> Evict:
        """Tell a replica to tear down and end."""
        copy.state = advance(copy.state, Turn.EVICTED)
        return Evict(copy.id)

    def gone(
        self, copy: Copy, why: Why, *, evicting: bool, now: float, chance: float
    ) -> list[Action]:
        """Forget a replica; plan the next one, or give up if the first start failed."""
        pool, before = copy.pool, copy.state
        copy.state = advance(copy.state, Turn.DIED)
        del self.copies[copy.id], pool.copies[copy.id]
        if evicting:
            return []
        if before not in STAYING:
            owed = copy.checkup is not None and copy.checkup.owed
            return self.fit(pool, now) if owed else []
        if before is State.DOOMED:
            pool.restarts.append(now)  # no fault of its own: nothing to back off from
            return self.fit(pool, now)
        if why is Why.ASKED:
            return []
        if not pool.ever_ready and why is Why.SETUP:
            pool.could_not_wake(chance)
            return [GiveUp(pool.id)] if pool.rest.gates else []
        steady = before is State.READY and now - copy.ready_at >= STEADY_AFTER_S
        pool.falls = 0 if steady else pool.falls + 1
        pool.restarts.append(now + restart_delay_s(pool.falls, chance))
        return []

    def restart(self, pool: Pool, now: float) -> list[Action]:
        """Start what is due in place of the dead."""
        due = [when for when in pool.restarts if when <= now]
        pool.restarts = [when for when in pool.restarts if when > now]
        return [self.start(pool, now) for _ in due]

    def evict(self, before: Stage, stage: Stage) -> list[Action]:
        """Say what a shutdown that came from `before` to `stage` asks of the replicas."""
        out: list[Action] = []
        if before < Stage.EVICTING <= stage:
            there = [copy for copy in self.copies.values() if copy.state is not State.DRAINING]
            out += map(self.let_go, there)
        if before < Stage.KILLING <= stage:
            out += [Kill(copy.id) for copy in self.copies.values()]
        if before < Stage.DONE <= stage:
            out.append(Drained())
        return out


def _retiring(pool: Pool, now: float) -> list[Copy]:
    """Return the replicas that were to go and may as well stay."""
    retiring = [copy for copy in pool.copies.values() if copy.state is State.RETIRING]
    return [copy for copy in retiring if not (stopping.hangs(copy, now) or is_unwell(copy))]


def is_unwell(copy: Copy) -> bool:
    """Tell if it said that it is not well: then it goes."""
    return copy.checkup is not None and copy.checkup.unwell


def _may_go(copy: Copy) -> bool:
    return copy.state is not State.DOOMED  # it goes already; then there is one less to replace


def _worth(copy: Copy) -> tuple[int, int]:
    """Order by who goes first: what loads, what hangs, what has least to do; then the youngest."""
    order = (State.LOADING, State.QUITTING, State.READY)
    return order.index(copy.state), sum(len(call.tickets) for call in copy.calls.values())
