"""Seeded days of traffic: what the state machine does, drawn by plain chance: so far more of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from headrace.core.batching import BatchPolicy
from headrace.core.messages import ReplicaId, RequestId, Serial, Why
from headrace.core.records import Lower, Origin, Policy
from tests.core import behind
from tests.core.changing import retire, scale
from tests.core.many import MODELS, hold
from tests.core.parts import stream
from tests.core.world import World

POLICIES = {
    "plain": Policy(replicas=2, max_queued=20),
    "batched": Policy(replicas=2, batch=BatchPolicy(3), max_queued=20),
    "patient": Policy(batch=BatchPolicy(4, 0.5), max_queued=20),
    "tight": Policy(batch=BatchPolicy(2), max_queued=3, retry_on_crash=False),
    "streams": Policy(replicas=2, slots=3, max_queued=20, item_timeout_s=0.3),
    "stepped": Policy(batch=BatchPolicy(3), send_ahead=False, item_timeout_s=2.0),
    "large": Policy(replicas=2, batch=BatchPolicy(2), max_queued_bytes=900),
    "tasks": Policy(replicas=2, slots=3, max_queued=20),
    "hasty": Policy(replicas=2, batch=BatchPolicy(2), max_queued=20, cancel_grace_s=0.3),
    "left": Policy(replicas=2, slots=2, max_queued=20, cancel_grace_s=0.3),
    "alone": Policy(replicas=2, max_queued=20, cancel_grace_s=None),
    "many": Policy(replicas=2, max_queued=20, multiplexed=True),
    "many-tasks": Policy(replicas=3, slots=2, max_queued=20, multiplexed=True),
    "many-batched": Policy(
        replicas=2, batch=BatchPolicy(3, 0.1), max_queued=20, multiplexed=True, cancel_grace_s=0.3
    ),
    "groups": Policy(batch=BatchPolicy(3, 0.2), slots=4, max_queued=5),
}
TOGETHER = [["plain"], ["batched"], ["tasks"], ["plain", "groups"], ["patient", "tasks"], ["tight"]]
TOGETHER += [["many"], ["many-tasks"], ["many-batched"]]
TOGETHER += [["hasty"], ["left", "alone"], ["large"], ["streams"], ["stepped", "tasks"]]
TOOK_S = [0.0, 0.0003, 0.001, 0.004, 0.1, 2.0]
PASSING_S = [0.0, 0.0005, 0.002, 0.005, 0.02, 0.3, 1.0, 11.0]
LOWERS = [Lower(), Lower(), Lower(0.01), Lower(5.0), Lower(is_suspect=True)]
WAIT_S = [-1.0, 0.0, 0.01, 1.0, 30.0, 60.0, 60.0, 60.0]


def walk(seed: int, steps: int) -> World:
    """Let `steps` events happen, then come to an end; return the world as it is then."""
    chance = Random(seed)
    names = chance.choice(TOGETHER)
    world = World(
        {name: POLICIES[name] for name in names},
        trusted=chance.random() < 0.7,
        contested_runs=chance.random() < 0.5,
    )
    took_s = chance.choice(TOOK_S)
    for _ in range(steps):
        if chance.random() < 0.02:
            took_s = chance.choice(TOOK_S)
        happen(world, chance, took_s)
        if chance.random() < 0.5:
            world.end_turn()
    world.come_to_an_end()
    return world


def happen(world: World, chance: Random, took_s: float) -> None:
    """Let one thing happen."""
    dice = chance.random()
    if dice < 0.33 and world.served:
        come(world, chance, in_background=dice < 0.06)
    elif dice < 0.36 and world.last:
        world.hang_up(RequestId(chance.randint(max(1, world.last - 10), world.last)))
    elif dice < 0.75 and world.replicas:
        happen_to_replica(world, chance, took_s)
    elif dice < 0.83:
        world.ring()
    elif dice < 0.85 and world.served:
        change(world, chance)
    elif dice < 0.9995 or world.drained:
        world.pass_time(chance.choice(PASSING_S))
    else:
        world.ask_to_stop(chance.choice([0.0, 1.0, 30.0]))


def come(world: World, chance: Random, *, in_background: bool) -> None:
    """Let a few come together."""
    name = chance.choice(world.served)
    for _ in range(chance.randint(1, 6)):
        if in_background:
            behind.arrive(world, name, chance.choice(LOWERS))
        else:
            world.arrive(name, chance.choice(WAIT_S), origin_of(world, chance))


def change(world: World, chance: Random) -> None:
    """Want other replicas; now and then none for ever."""
    name = chance.choice(world.served)
    if chance.random() < 0.05:
        retire(world, name, chance.choice([0.0, 1.0, 30.0]))
    else:
        scale(world, name, chance.choice([0, 1, 2, 2, 3]))


def happen_to_replica(world: World, chance: Random, took_s: float) -> None:
    """Let a replica load, work, claim, die or say something stale."""
    copy = chance.choice(list(world.replicas.values()))
    dice = chance.random()
    fails = copy.deployment in world.ever_ready and dice < 0.1
    if not copy.ready and not fails:
        world.get_ready(copy)
    elif not copy.ready or dice < 0.02 or (copy.doomed and dice < 0.5):
        whys = [Why.KILLED, Why.CRASHED] if copy.ready else [Why.SETUP]
        world.die(copy, Why.ASKED if copy.doomed else chance.choice(whys), chance.random())
    elif dice < 0.06 or (copy.policy.item_timeout_s and dice < 0.4):
        stream(world, copy, chance.randint(0, 5), ends=chance.random() < 0.2)
    elif dice < 0.1:
        name = chance.choice([*sorted(world.names), ReplicaId("nobody/1")])
        world.finish_stale(name, Serial(chance.randint(0, 30)))
    elif dice < 0.3:
        early = partial(world.hand_over_early, copy)
        deeds: list[Callable[[], None]] = [copy.claim, copy.claim, copy.look, early]
        chance.choice(deeds)()
    elif copy.policy.multiplexed and dice < 0.5:
        models = chance.sample(MODELS[1:], chance.randint(0, 2))
        hold(world, copy, models, chance.choice([0.0, 0.01, 0.4]))
    else:
        for _ in range(chance.randint(1, 4)):
            world.go_on(copy, took_s, chance.randint(0, 3))


def origin_of(world: World, chance: Random) -> Origin | None:
    """Mostly nobody; else one or more requests that run, or any that there was."""
    if chance.random() < 0.8 or not world.last:
        return None
    running = [number for number in world.requests if world.runs(number)]
    is_detached = chance.random() < 0.2
    if running and chance.random() < 0.8:
        several = min(len(running), chance.choice([1, 1, 1, 3]))
        return Origin(tuple(chance.sample(running, several)), is_detached)
    return Origin((RequestId(chance.randint(1, world.last)),), is_detached)
