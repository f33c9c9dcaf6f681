"""Every invariant of an engine, as one function. Tests call it after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf, isclose

from headrace.core import (
    family,
    filling,
    growing,
    poison,
    routing,
    sending,
    sharing,
    stopping,
    tending,
    waking,
)
from headrace.core.draining import Stage
from headrace.core.engine import Engine
from headrace.core.fleet import STAYING, is_unwell
from headrace.core.loading import Presence
from headrace.core.phases import Phase
from headrace.core.records import Call, Copy, Pool, Ticket
from headrace.core.replicas import State


def check(engine: Engine, *, turn_ended_at: float | None = None) -> None:
    """Raise AssertionError naming every promise that `engine` breaks.

    Between `ticked` and the next event there are more of them: tell when that tick was.
    """
    broken = list(_broken(engine))
    if turn_ended_at is not None and engine.shutdown.stage is not Stage.DONE:
        broken += _left_lying(engine, turn_ended_at)
    if broken:
        raise AssertionError("; ".join(broken))


def _broken(engine: Engine) -> Iterator[str]:
    for number, ticket in engine.tickets.items():
        if ticket.id != number or number > engine.last:
            yield f"ticket {ticket.id} is filed under {number}"
        yield from _place(ticket)
        yield from _family(engine, ticket)
    for pool in engine.pools.values():
        yield from _pool(pool)
        yield from _doomed(pool)
        yield from _shares(pool)
        yield from _numbers(pool)
        for copy in pool.copies.values():
            yield from _counters(copy)
            yield from _models(copy)
            yield from _limits(copy)
            yield from _calls(copy)
    born = set().union(*engine.families.children.values()) | engine.families.shared.keys()
    if strangers := born - engine.tickets.keys():
        yield f"{sorted(strangers)} are remembered as children, and are gone"
    if len(engine.deadlines.heap) > engine.deadlines.most:
        yield f"{len(engine.deadlines.heap)} deadlines for {len(engine.tickets)} requests"


def _place(ticket: Ticket) -> Iterator[str]:
    name = f"request {ticket.id} is {ticket.phase.name}"
    if ticket.phase is Phase.CLOSED:
        yield f"{name} and still remembered"
    suspected = poison.is_suspect(ticket.deaths)
    waits = ticket.phase is Phase.WAITING
    pool, lower = ticket.pool, ticket.lower is not None
    lines = tuple(ticket.id in line for line in (pool.waiting, pool.behind, pool.suspects))
    usual = waits and not suspected
    if lines != (usual and not lower, usual and lower, waits and suspected):
        yield f"{name}, in the queue, behind it, among the suspects: {lines}"
    call = ticket.call
    if (call is None) != (ticket.phase is Phase.WAITING):
        yield f"{name}, in a call: {call is not None}"
    if call is None:
        return
    if call.copy.calls.get(call.serial) is not call or call.recalled or ticket not in call.tickets:
        yield f"{name} in a call that does not hold it"
    if call.claimed and ticket.phase is Phase.SENT:
        yield f"{name} in a call that is claimed"
    if not call.claimed and ticket.phase is Phase.RUNNING:
        yield f"{name} in a call that is not claimed"


def _family(engine: Engine, ticket: Ticket) -> Iterator[str]:
    origin = ticket.origin
    if origin is None or origin.detached or ticket.phase is Phase.LEAVING:
        return
    elders = family.alive(engine.tickets, engine.families.left_of(ticket.id, origin))
    if not elders:
        yield f"request {ticket.id} outlived its parents {origin.parents}"
    elif len(origin.parents) == 1 and family.ends_by(ticket) > family.ends_by(elders[0]):
        yield f"request {ticket.id} may outlast its parent {elders[0].id}"
    for elder in elders:
        if ticket.id not in engine.families.children.get(elder.id, ()):
            yield f"request {ticket.id} is not among the children of {elder.id}"


def _pool(pool: Pool) -> Iterator[str]:
    if pool.live < pool.queued:
        yield f"{pool.id} counts {pool.live} requests, and {pool.queued} of them are queued"
    calls = [call for copy in pool.copies.values() for call in copy.calls.values()]
    sent = sum(_online(call) for call in calls if not call.claimed and not call.recalled)
    if sent != pool.sent:
        yield f"{pool.id} counts {pool.sent} sent, has {sent}"
    unclaimed = [
        t for call in calls if not call.claimed and not call.recalled for t in call.tickets
    ]
    queued = [*pool.waiting.values(), *pool.suspects.values(), *unclaimed]
    if (size_bytes := sum(ticket.size_bytes for ticket in queued)) != pool.queued_bytes:
        yield f"{pool.id} counts {pool.queued_bytes} queued bytes, has {size_bytes}"
    for line in (pool.waiting, pool.suspects, pool.behind):
        if any(ticket.phase is not Phase.WAITING for ticket in line.values()):
            yield f"{pool.id} queues a request that does not wait"
        if any(elder > younger for elder, younger in pairwise(line)):
            yield f"{pool.id} does not queue by age: {list(line)}"


def _online(call: Call) -> int:
    return sum(ticket.lower is None for ticket in call.tickets)


def _counters(copy: Copy) -> Iterator[str]:
    live = [call for call in copy.calls.values() if not call.recalled]
    held = sum(len(call.tickets) for call in live if call.claimed)
    if held != copy.held:
        yield f"{copy.id} counts {copy.held} held, has {held}"
    ahead = sum(max(call.predicted_s, 0.0) for call in live)
    if copy.calls and not isclose(ahead, copy.ahead_s, abs_tol=1e-6):
        yield f"{copy.id} counts {copy.ahead_s} s ahead, has {ahead}"


def _models(copy: Copy) -> Iterator[str]:
    """Where replicas hold models of their own, a call is for one of them."""
    live = [call for call in copy.calls.values() if not call.recalled]
    wanted = [{ticket.model_id for ticket in call.tickets} for call in live]
    if any(len(models) > 1 for models in wanted) and copy.pool.policy.multiplexed:
        yield f"{copy.id} has a call for several models: {wanted}"
    many = copy.pool.policy.multiplexed
    asked = Counter(call.tickets[0].model_id for call in live if many)
    if dict(copy.asked) != {model: count for model, count in asked.items() if model}:
        yield f"{copy.id} counts calls for {copy.asked}, has {dict(asked)}"


def _limits(copy: Copy) -> Iterator[str]:
    live = [call for call in copy.calls.values() if not call.recalled]
    slots = copy.pool.policy.slots
    if slots and copy.held > slots:
        yield f"{copy.id} holds {copy.held} of {slots} slots"
    if not slots and sum(call.claimed for call in live) > 1:
        yield f"{copy.id} is a leaf and runs several calls"
    if not slots and live and not sending.head(copy).claimed:
        yield f"{copy.id} has calls and runs none"
    if any(len(call.tickets) > copy.pool.policy.batch.max_size for call in live):
        yield f"{copy.id} has a batch over the limit"
    suspects = [t for call in live for t in call.tickets if poison.is_suspect(t.deaths)]
    if len(suspects) > 1:
        yield f"{copy.id} has {len(suspects)} suspects"


def _calls(copy: Copy) -> Iterator[str]:
    if copy.recalled_from and not (copy.calls and max(copy.calls) >= copy.recalled_from):
        yield f"{copy.id} waits for calls that it does not have"
    if any(call.recalled for call in copy.calls.values()) and not copy.recalled_from:
        yield f"{copy.id} may be sent calls and has not handed over all that were taken back"
    if copy.calls and copy.state is State.LOADING:
        yield f"{copy.id} was sent calls while it loads"
    for call in copy.calls.values():
        if not call.recalled and any(ticket.call is not call for ticket in call.tickets):
            yield f"call {call.serial} of {copy.id} holds a request that is elsewhere"
        phases = set() if call.recalled else {ticket.phase for ticket in call.tickets}
        if call.given_up and phases - {Phase.LEAVING}:
            yield f"call {call.serial} of {copy.id} was given up, and somebody waits for it"


def _shares(pool: Pool) -> Iterator[str]:
    """What is said of the lower class: see core/sharing.py."""
    lowers = [ticket for line in (pool.behind, pool.suspects) for ticket in line.values()]
    calls = [call for copy in pool.copies.values() for call in copy.calls.values()]
    sent = [ticket for call in calls if not call.recalled for ticket in call.tickets]
    there = sum(ticket.lower is not None for ticket in [*lowers, *sent])
    if there != pool.lowers:
        yield f"{pool.id} counts {pool.lowers} in the background, has {there}"
    if any(call.background != len(call.tickets) - _online(call) for call in calls):
        yield f"{pool.id} has a call that counts others in the background than it has"
    if not 0 <= pool.owed <= sharing.most_owed(pool):
        yield f"{pool.id} owes {pool.owed} places to those in the background"


def _doomed(pool: Pool) -> Iterator[str]:
    doomed = [copy.id for copy in pool.copies.values() if copy.state is State.DOOMED]
    if len(doomed) > 1:
        yield f"{doomed} are replaced at once"


def _hanging(pool: Pool, now: float) -> Iterator[str]:
    for copy in pool.copies.values():
        if (copy.state is State.QUITTING) is not (
            stopping.hangs(copy, now) and copy.state in stopping.LOADED
        ):
            yield f"{copy.id} is {copy.state.name}, hangs: {stopping.hangs(copy, now)}"
        if stopping.may_replace(copy):
            yield f"{copy.id} hangs, and nothing is done about it"


def _numbers(pool: Pool) -> Iterator[str]:
    staying = [copy for copy in pool.copies.values() if copy.state in STAYING]
    doomed = sum(copy.state is State.DOOMED for copy in staying)
    if len(staying) + len(pool.restarts) - doomed > pool.wanted:
        yield f"{pool.id} has {len(staying)} replicas and more to come, of {pool.wanted} wanted"
    if pool.rest.presence in (Presence.ASLEEP, Presence.SHUT) and (pool.wanted or pool.ever_ready):
        yield f"{pool.id} is {pool.rest.presence.name} and has {pool.wanted} replicas to come"
    scale, is_awake = pool.policy.scale, pool.rest.presence is Presence.AWAKE
    is_bound = is_awake and pool.exit.stage < Stage.EVICTING
    if scale is not None and is_bound and not scale.floor <= pool.wanted <= scale.most:
        yield f"{pool.id} wants {pool.wanted} replicas, of {scale.floor} to {scale.most}"
    for copy in pool.copies.values():
        if is_unwell(copy) and copy.state in stopping.LOADED:
            yield f"{copy.id} is not well, and takes calls"
        if copy.state is State.RETIRING and not copy.calls:
            yield f"{copy.id} has nothing to end and was not let go"


def _left_lying(engine: Engine, now: float) -> Iterator[str]:
    for pool in engine.pools.values():
        yield from _ripe(pool, now)
        yield from _hanging(pool, now)
        if min(map(sending.overrun_at, pool.copies.values()), default=inf) <= now:
            yield f"a replica of {pool.id} overruns, and nothing was taken back"
    if (due := min(_due_times(engine, now))) < engine.alarm:
        yield f"something is due at {due}, the alarm is set to {engine.alarm}"
    if not now < engine.alarm:
        yield f"the alarm rang at {now} and is still set to {engine.alarm}"
    if engine.rung != engine.alarm:
        yield f"the driver was told {engine.rung}, the alarm is set to {engine.alarm}"


def _ripe(pool: Pool, now: float) -> Iterator[str]:
    if pool.policy.multiplexed:
        upcoming = filling.next_by_model(pool, routing.open_copies(pool), now)
        if upcoming.copy is not None:
            yield f"{pool.id} left a call for {upcoming.copy.id} lying"
        return
    chosen = routing.choose(routing.open_copies(pool), now)
    mix = sharing.Mix(0, 0) if chosen is None else sharing.weigh(pool, *chosen, now)
    if mix.online + mix.background:
        yield f"{pool.id} left a ripe batch lying"


def _due_times(engine: Engine, now: float) -> Iterator[float]:
    yield engine.shutdown.next_at()
    for pool in engine.leaving:
        yield pool.exit.next_at()
    for ticket in engine.tickets.values():
        if ticket.phase is not Phase.LEAVING:
            yield ticket.deadline
    for pool in engine.pools.values():
        yield min(pool.restarts, default=inf)
        yield stopping.due_at(pool, now)
        if engine.shutdown.stage is Stage.OPEN and pool.exit.stage is Stage.OPEN:
            yield waking.due_at(pool, now)
            yield growing.due_at(pool)
            yield tending.due_at(pool)
        yield min(map(sending.overrun_at, pool.copies.values()), default=inf)
        if pool.waiting or pool.behind:
            yield _moves_at(pool, now)


def _moves_at(pool: Pool, now: float) -> float:
    """When time alone lets the eldest go."""
    copies = routing.open_copies(pool)
    if pool.policy.multiplexed:
        return filling.next_by_model(pool, copies, now).again_at
    chosen = routing.choose(copies, now)
    if chosen is None:
        eldest = next(iter((pool.waiting or pool.behind).values())).arrived
        is_full = len(pool.waiting) >= pool.size
        ripe_at = now if is_full else eldest + pool.policy.batch.max_wait_s
        return max(routing.opens_at(copies, now), ripe_at)
    return sharing.weigh(pool, *chosen, now).again_at
