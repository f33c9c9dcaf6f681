"""Load what is wanted and let go what is not used, one step at a time, as memory allows.

The judgements are those of `core/loading.py`. A deployment that is always there costs nothing here:
it is looked at when the alarm rings, as every other.
"""

from __future__ import annotations

from math import inf

from headrace.core import loading
from headrace.core.draining import KILL_AFTER_S, Stage
from headrace.core.loading import STAY_S, Candidate, Load, Presence, Turn
from headrace.core.messages import Action, DeploymentId, Kill, News, Outcome, Say
from headrace.core.records import Copy, Pool
from headrace.core.register import Register
from headrace.core.replicas import State, restart_delay_s

TO_BEGIN: dict[Load, Presence] = {
    Load.EAGER: Presence.AWAKE,
    Load.LAZY: Presence.ASLEEP,
    Load.BACKGROUND: Presence.QUEUED,
    Load.SCHEDULED: Presence.SHUT,
}

# --- events ------------------------------------------------------------------------------


def begin(pool: Pool, replicas: int | None, now: float) -> None:
    """Let a new deployment begin as its policy says; or loaded with so many, or asleep with 0."""
    rest, policy = pool.rest, pool.policy
    rest.full = replicas or policy.replicas
    rest.since = rest.loaded_at = pool.used_at = now
    if replicas is None:
        rest.presence = TO_BEGIN[policy.load.when]
    elif not replicas:
        rest.presence = home(pool)
    rest.gates = rest.presence is Presence.AWAKE
    _note(pool)
    pool.wanted = rest.full if rest.gates else 0
    if policy.scale is not None and pool.wanted:
        pool.gauge.begin(policy.scale, now)


def wanted(register: Register, deployment: DeploymentId, now: float) -> list[Action]:
    """The timetable, or somebody, asks for a deployment."""
    pool = register.pools[deployment]
    turn(pool, Turn.WANTED, now)
    pool.rest.retry_at = now
    return []


def unwanted(register: Register, deployment: DeploymentId, now: float) -> list[Action]:
    """The timetable ends it: it goes with its last request."""
    pool = register.pools[deployment]
    before = pool.rest.presence
    turn(pool, Turn.UNWANTED, now)
    out: list[Action] = []
    if before is Presence.QUEUED and not pool.wanted:
        _settle(register, pool, out)  # nothing will answer them
    return out


def measured(register: Register, deployment: DeploymentId, size_bytes: int) -> None:
    """A replica was seen to take so much."""
    pool = register.pools.get(deployment)
    if pool is not None:
        pool.rest.measured_bytes = max(pool.rest.measured_bytes, size_bytes)


# --- steps -------------------------------------------------------------------------------


def go_on(register: Register, now: float, out: list[Action], *, is_open: bool) -> None:
    """Take the next step of every deployment, if it is time; where the end has begun, of none."""
    for pool in register.pools.values():
        if is_open and pool.exit.stage is Stage.OPEN:
            _look_after(register, pool, now, out)
        elif pool.restless and not pool.wanted:
            _settle(register, pool, out)
    held = sum(map(held_bytes, register.pools.values()))
    if is_open and held > register.budget_bytes:  # one took more than anybody knew
        _make_room(register, held - register.budget_bytes, now, out)
    queue = [p for p in register.pools.values() if p.rest.presence is Presence.QUEUED]
    reserved = 0
    for pool in sorted(queue, key=lambda each: each.rest.since):
        if is_open and pool.exit.stage is Stage.OPEN:
            reserved += _try_to_load(register, pool, reserved, now, out)


def _look_after(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    rest = pool.rest
    if rest.fell is not None:
        _fail(register, pool, now, out)
    if rest.presence is Presence.CLOSING and not is_used(pool):
        _let_go(register, pool, _closes(pool), News.CLOSED, now, out)
    if now >= idle_at(pool):
        if is_used(pool):
            pool.used_at = now
        else:
            _let_go(register, pool, Turn.IDLED, News.IDLE, now, out)
    if now >= rest.kill_at:
        late = [copy for copy in pool.copies.values() if copy.state is State.DRAINING]
        out += [Kill(copy.id) for copy in late]
        rest.kill_at = inf
    pool.restless = False
    _note(pool)
    register.wake(due_at(pool, now))


def _try_to_load(
    register: Register, pool: Pool, reserved: int, now: float, out: list[Action]
) -> int:
    """Load it if it fits, else make room; return the bytes that it still waits for."""
    rest, in_all = pool.rest, needed_bytes(pool) * pool.rest.full
    if now < rest.retry_at:
        register.wake(rest.retry_at)
        return 0
    missing = missing_bytes(register, pool)
    if missing + reserved <= 0 or not new_bytes(pool):
        _load(register, pool, now, out)
        return 0
    if in_all > register.budget_bytes:
        _refuse_for_good(register, pool, now, out)
        return 0
    if not rest.missing_bytes:
        out.append(Say(pool.id, News.SHORT))
    rest.missing_bytes = int(missing + reserved)
    _make_room(register, missing + reserved, now, out)
    return in_all


def _load(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    rest = pool.rest
    rest.missing_bytes, rest.loaded_at, pool.used_at = 0, now, now
    turn(pool, Turn.STARTED, now)
    pool.wanted = rest.full
    if pool.policy.scale is not None:
        pool.gauge.begin(pool.policy.scale, now)
        register.wake(pool.gauge.look_at)
    out.append(Say(pool.id, News.LOADING))
    out += register.fleet.fit(pool, now)
    register.wake(due_at(pool, now))  # some of it may still be there


def _refuse_for_good(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    needed = needed_bytes(pool) * pool.rest.full
    pool.rest.fault = f"it needs {needed} bytes, and memory_budget_bytes is less"
    pool.rest.retry_at = inf
    turn(pool, Turn.FAILED, now)
    out.append(Say(pool.id, News.TOO_LARGE))
    _settle(register, pool, out)


def _make_room(register: Register, missing: float, now: float, out: list[Action]) -> None:
    """Evict who was not used for longest, if that is enough; what is on its way out counts."""
    pools = register.pools
    missing -= sum(leaving_bytes(pool) for pool in pools.values())
    able = [pool for pool in pools.values() if held_bytes(pool) and _may_be_evicted(pool)]
    candidates = [
        Candidate(pool.id, pool.used_at, staying_bytes(pool))
        for pool in able
        if now >= _stays_until(pool)
    ]
    for name in loading.to_evict(missing, candidates):
        victim = pools[DeploymentId(name)]
        _let_go(register, victim, Turn.IDLED, News.EVICTED, now, out)
    register.wake(min((t for t in map(_stays_until, able) if t > now), default=inf))


def _let_go(
    register: Register, pool: Pool, step: Turn, news: News, now: float, out: list[Action]
) -> None:
    """Unload a deployment that nobody uses."""
    turn(pool, step, now)
    out.append(Say(pool.id, news))  # first: its replicas can still be looked at
    _empty(register, pool, now, out)


def _empty(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    pool.wanted, pool.falls, pool.ever_ready = 0, 0, False
    if pool.policy.scale is not None:
        pool.rest.full = pool.policy.scale.floor  # who wakes it begins with few
        pool.gauge.end()
    out += register.fleet.fit(pool, now)
    if pool.copies:
        pool.rest.kill_at = now + KILL_AFTER_S
        register.wake(pool.rest.kill_at)


def _fail(register: Register, pool: Pool, now: float, out: list[Action]) -> None:
    """Let those that waited for it hear of it; try again later, or when somebody asks again."""
    rest = pool.rest
    chance, rest.fell = rest.fell or 0.0, None
    if pool.ever_ready:  # another one came in the same turn: this is a replica like any that died
        pool.falls += 1
        pool.restarts.append(now + restart_delay_s(pool.falls, chance))
        register.wake(pool.restarts[-1])
        return
    rest.failures += 1
    rest.retry_at = now + restart_delay_s(rest.failures, chance)
    by_itself = pool.policy.load.when in (Load.BACKGROUND, Load.SCHEDULED)
    turn(pool, Turn.PUT_OFF if by_itself else Turn.FAILED, now)
    out.append(Say(pool.id, News.FAILED))
    _empty(register, pool, now, out)
    _settle(register, pool, out)


def _settle(register: Register, pool: Pool, out: list[Action]) -> None:
    for request in [*pool.waiting, *pool.suspects, *pool.behind]:
        register.abandon(request, Outcome.UNREADY, out)


# --- judgements --------------------------------------------------------------------------


def turn(pool: Pool, step: Turn, now: float) -> None:
    """Change a deployment's presence as the table says."""
    before, pool.rest.presence = pool.rest.presence, loading.advance(pool.rest.presence, step)
    if pool.rest.presence is not before:
        pool.rest.since = now
    _note(pool)


def _note(pool: Pool) -> None:
    presence = pool.rest.presence
    pool.restless = pool.restless or presence in (Presence.QUEUED, Presence.CLOSING)
    closing = presence is Presence.CLOSING
    pool.is_closing = closing and pool.policy.load.when is Load.SCHEDULED


def home(pool: Pool) -> Presence:
    """Where a deployment is that is not to be loaded."""
    return Presence.SHUT if pool.policy.load.when is Load.SCHEDULED else Presence.ASLEEP


def _closes(pool: Pool) -> Turn:
    return Turn.CLOSED if home(pool) is Presence.SHUT else Turn.IDLED


def is_used(pool: Pool) -> bool:
    """Tell whether anybody waits for it, or it still works."""
    return bool(pool.live or pool.coming_bytes)


def idle_at(pool: Pool) -> float:
    """When it is to go, if nobody uses it until then."""
    idle_s = pool.policy.load.idle_unload_s
    loaded = pool.rest.presence is Presence.AWAKE and pool.ever_ready
    return inf if idle_s is None or not loaded else pool.used_at + idle_s


def due_at(pool: Pool, now: float) -> float:
    """When time alone is to be looked at."""
    queued = pool.rest.presence is Presence.QUEUED
    times = (idle_at(pool), pool.rest.kill_at, pool.rest.retry_at if queued else inf)
    return min((when for when in times if when > now), default=inf)


def needed_bytes(pool: Pool) -> int:
    """What one replica takes: as it was told, else as it was measured, else nothing."""
    told = pool.policy.load.needed_bytes
    return pool.rest.measured_bytes if told is None else told


def held_bytes(pool: Pool) -> int:
    """What its replicas take, those that are on their way out and those to come as well."""
    return needed_bytes(pool) * max(len(pool.copies) + len(pool.restarts), pool.wanted)


def leaving_bytes(pool: Pool) -> int:
    """What it gives back soon."""
    return needed_bytes(pool) * (len(pool.copies) - len(staying(pool)))


def staying_bytes(pool: Pool) -> int:
    """What it would give back."""
    return held_bytes(pool) - leaving_bytes(pool)


def missing_bytes(register: Register, pool: Pool) -> float:
    """Return how much more memory must be free before it can be loaded; below 0 there is enough."""
    held = sum(map(held_bytes, register.pools.values()))
    return new_bytes(pool) + held - register.budget_bytes


def room_for(register: Register, pool: Pool) -> float:
    """Return how many replicas more there is memory for, beside those that wait for theirs."""
    needed = needed_bytes(pool)
    if not needed or register.budget_bytes == inf:
        return inf
    queue = [each for each in register.pools.values() if each.rest.presence is Presence.QUEUED]
    taken = sum(map(held_bytes, register.pools.values())) + sum(map(new_bytes, queue))
    return max((register.budget_bytes - taken) // needed, 0)


def new_bytes(pool: Pool) -> int:
    """What the replicas take that it does not have yet."""
    return needed_bytes(pool) * max(pool.rest.full - len(staying(pool)), 0)


def staying(pool: Pool) -> list[Copy]:
    """Return its replicas that are not on their way out."""
    return [c for c in pool.copies.values() if c.state not in (State.DRAINING, State.RETIRING)]


def _may_be_evicted(pool: Pool) -> bool:
    ready = pool.rest.presence is Presence.AWAKE and pool.ever_ready
    return ready and not is_used(pool) and pool.exit.stage is Stage.OPEN


def _stays_until(pool: Pool) -> float:
    """Until when it may not be evicted: it is to serve for as long as its load took.

    Whoever woke it was told to come back, and is given some time more for that.
    """
    rest = pool.rest
    unused = pool.flow.ended == rest.ended_before
    return rest.loaded_at + rest.took_s + (STAY_S if unused else 0.0)
