"""A world where replicas are asked how they are, and where their number follows the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from random import Random

from headrace.core import tending
from headrace.core.health import MARGIN_S, HealthPolicy
from headrace.core.messages import (
    Abort,
    DeploymentId,
    Evict,
    Examine,
    FleetAction,
    News,
    ReplicaId,
    RequestId,
    SayOf,
    Serial,
)
from headrace.core.records import Policy
from headrace.core.replicas import State
from headrace.core.scaling import ScalePolicy
from tests.core.resting import Resting, happen_to_replica, resting
from tests.core.scripted import Scripted
from tests.core.walk import POLICIES


class Caring(Resting):
    """Replicas that answer for their health, or do not; and as many as the load asks for."""

    def __init__(self, policies: Mapping[str, Policy], budget: float = inf) -> None:
        self.asked_at: dict[ReplicaId, float] = {}
        self.unwell: set[ReplicaId] = set()
        self.silent: set[ReplicaId] = set()
        self.changed_at: dict[str, float] = {}
        super().__init__(policies, budget)

    # --- events ----------------------------------------------------------------------------

    def answer(self, replica: ReplicaId, *, is_well: bool, chance: float = 0.5) -> None:
        """Let a replica say how it is."""
        words = None if is_well else "it aches"
        self.asked_at.pop(replica, None)
        self.silent.discard(replica)
        copy = self.replicas.get(replica)
        if copy is not None:
            copy.silent = False
        if not is_well and copy is not None and not (copy.evicted or copy.doomed):
            self.unwell.add(replica)
        self.tell(tending.answered(self.engine, replica, words, self.now, chance))

    def examined(self, copy: Scripted) -> None:
        super().examined(copy)
        assert copy.id not in self.asked_at, "it has yet to answer"
        assert self.policies[copy.deployment].health is not None
        self.asked_at[copy.id] = self.now

    # --- what must hold --------------------------------------------------------------------

    def do_to_replicas(self, action: FleetAction) -> None:
        match action:
            case Evict(replica) if self.is_too_many(self.replicas[replica]):
                copy = self.replicas[replica]
                assert not copy.evicted
                assert not copy.calls, "it works"
                copy.evicted = True
            case Abort(replica) if replica in self.silent:
                copy = self.replicas[replica]
                assert not copy.evicted
                assert not copy.doomed
                copy.doomed = True
            case SayOf(replica, News.SILENT):
                self.fell_silent(self.replicas[replica])
            case SayOf(replica, News.UNWELL):
                assert replica in self.unwell
            case Examine(replica):
                self.examined(self.replicas[replica])
            case _:
                super().do_to_replicas(action)

    def is_too_many(self, copy: Scripted) -> bool:
        """Tell if it may go though its deployment is there: it is not well, or one too many."""
        scaled = self.policies[copy.deployment].scale is not None
        return not self.is_evicted(copy.deployment) and (copy.id in self.unwell or scaled)

    def fell_silent(self, copy: Scripted) -> None:
        policy = self.policies[copy.deployment].health
        assert policy is not None
        assert self.now >= self.asked_at[copy.id] + policy.timeout_s + MARGIN_S, "too early"
        self.silent.add(copy.id)
        copy.silent = True

    def sent(self, copy: Scripted, serial: Serial, requests: tuple[RequestId, ...]) -> None:
        assert copy.id not in self.unwell, "it is not well"
        assert copy.id not in self.silent, "it does not answer"
        super().sent(copy, serial, requests)

    def hear(self, deployment: str, news: News) -> None:
        super().hear(deployment, news)
        scale, before = self.policies[deployment].scale, self.changed_at.get(deployment, -inf)
        if news not in (News.GREW, News.SHRANK):
            return
        assert scale is not None
        patience_s = scale.up_s if news is News.GREW else scale.down_s
        assert self.now >= before + patience_s - 1e-6, "it has no patience"
        assert scale.floor <= self.pool(deployment).wanted <= scale.most
        self.changed_at[deployment] = self.now

    def nothing_lies_before(self, copy: Scripted) -> None:
        if not copy.silent:
            super().nothing_lies_before(copy)

    def least_held(self, name: str) -> int:
        held = [
            sum(len(call.requests) for call in copy.own)
            for copy in self.staying(name)
            if copy.ready and not (copy.silent or copy.recalled or copy.doomed)
        ]
        return min(held, default=0)

    def nothing_is_left_lying(self) -> None:
        super().nothing_is_left_lying()
        for replica in self.silent & self.replicas.keys():
            copy = self.replicas[replica]
            others = [each for each in self.staying(copy.deployment) if each.ready]
            there = [each for each in others if not each.doomed]
            if not copy.evicted and not copy.doomed:
                assert len(there) < self.wanted[copy.deployment], "it is left lying"


HEALTH = HealthPolicy(0.5, 1.0)
KINDS = {
    "well": replace(POLICIES["tasks"], health=HEALTH),
    "leaf": replace(POLICIES["plain"], health=replace(HEALTH, between_calls=True)),
    "elastic": replace(
        POLICIES["tasks"], replicas=1, scale=ScalePolicy(1, 4, 2.0, 0.5, 3.0), max_queued=50
    ),
    "both": replace(
        POLICIES["plain"], scale=ScalePolicy(2, 3, 1.0, 1.0, 2.0), health=HEALTH, max_queued=50
    ),
    "zero": resting(
        replace(POLICIES["tasks"], replicas=1, scale=ScalePolicy(0, 3, 1.0, 0.3, 1.0)),
        waits=True,
        idle_unload_s=1.0,
        needed_bytes=None,
    ),
}


def happen(world: Caring, chance: Random) -> None:
    """Let one thing happen."""
    dice = chance.random()
    name = chance.choice(world.served)
    if dice < 0.25:
        for _ in range(chance.randint(1, 6)):
            world.arrive(name, chance.choice([0.01, 1.0, 30.0]))
    elif dice < 0.3 and world.last:
        world.hang_up(RequestId(chance.randint(max(1, world.last - 10), world.last)))
    elif dice < 0.6 and world.replicas:
        happen_to_replica(world, chance)
    elif dice < 0.72 and world.asked_at:
        replica = chance.choice(sorted(world.asked_at))
        world.answer(replica, is_well=chance.random() < 0.8, chance=chance.random())
    elif dice < 0.85:
        world.ring()
    else:
        let_be(world, chance)


def let_be(world: Caring, chance: Random) -> None:
    """Let time do something."""
    dice = chance.random()
    if dice < 0.45:
        world.bury_leavers()
    elif dice < 0.6:
        lull(world)
    else:
        world.pass_time(chance.choice([0.0, 0.01, 0.3, 1.0, 6.0]))


def lull(world: Caring) -> None:
    """Let all be answered, and some seconds pass without anybody asking."""
    for name in world.served:
        world.load(name)
    world.answer_all()
    for _ in range(20):
        for replica in sorted(world.asked_at):
            world.answer(replica, is_well=True)
        world.pass_time(0.3)


def walk(seed: int, steps: int) -> Caring:
    """Let `steps` events happen, then come to an end."""
    chance = Random(seed)
    names = chance.sample(sorted(KINDS), chance.randint(1, 3))
    world = Caring({name: KINDS[name] for name in names})
    for _ in range(steps):
        happen(world, chance)
        if chance.random() < 0.5:
            world.end_turn()
    world.come_to_an_end()
    return world


def state_of(world: Caring, replica: ReplicaId) -> State:
    """Return what the engine takes a replica for."""
    return world.engine.fleet.copies[replica].state


def id_of(name: str) -> DeploymentId:
    """Return a deployment's id."""
    return DeploymentId(name)
