"""A world whose models come and go: it holds the engine to memory, to patience, and to its word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from random import Random

from headrace.core import waking
from headrace.core.loading import Load, LoadPolicy, Presence
from headrace.core.messages import (
    Action,
    DeploymentId,
    Evict,
    FleetAction,
    Kill,
    News,
    Outcome,
    RequestId,
    Say,
    Start,
    Why,
)
from headrace.core.records import Origin, Policy, Pool
from headrace.errors import Refused
from tests.core.books import Request
from tests.core.walk import POLICIES
from tests.core.world import World

UNLOADED = (News.IDLE, News.EVICTED, News.CLOSED, News.FAILED)
NEEDS = 10


def resting(policy: Policy, when: Load = Load.LAZY, **options: object) -> Policy:
    """Return the policy of a model that comes and goes."""
    load = replace(LoadPolicy(when, needed_bytes=NEEDS), **options)  # type: ignore[arg-type]
    return replace(policy, load=load)


class Resting(World):
    """Deployments that sleep, wake, fail to load and have to share the memory."""

    def __init__(self, policies: Mapping[str, Policy], budget: float = inf) -> None:
        self.used: dict[str, float] = {}
        self.news: list[tuple[str, News]] = []
        super().__init__({})
        self.engine.budget_bytes, self.budget = budget, budget
        for name, policy in policies.items():
            self.bring(name, policy)

    def bring(self, name: str, policy: Policy) -> None:
        """Deploy one more."""
        self.policies = {**self.policies, name: policy}
        self.used[name] = self.now
        self.tell(self.engine.deployed(DeploymentId(name), policy, self.now))

    def pool(self, name: str) -> Pool:
        return self.engine.pools[DeploymentId(name)]

    def presence(self, name: str) -> Presence:
        return self.pool(name).rest.presence

    def want(self, name: str) -> None:
        self.tell(waking.wanted(self.engine, DeploymentId(name), self.now))

    def unwant(self, name: str) -> None:
        self.cause = self.unwant
        self.tell(waking.unwanted(self.engine, DeploymentId(name), self.now))

    def load(self, name: str) -> None:
        """Let every replica that loads be ready."""
        for copy in self.of(name):
            if not copy.ready and not copy.evicted:
                self.get_ready(copy)
        self.end_turn()

    def bury_leavers(self) -> None:
        """Let those end that were told to."""
        for copy in list(self.replicas.values()):
            if copy.evicted and not copy.calls:
                self.die(copy, Why.ASKED)
        self.end_turn()

    def answer_all(self) -> None:
        """Let every replica end what it has."""
        for _ in range(100):
            self.end_turn()
            for copy in list(self.replicas.values()):
                self.go_on(copy, 0.001)

    # --- what must hold --------------------------------------------------------------------

    def refusal(
        self, deployment: str, size_bytes: int, origin: Origin | None
    ) -> type[Refused] | None:
        before = set(self.ever_ready)
        rest, policy = self.pool(deployment).rest, self.policies[deployment].load
        asleep = rest.presence is Presence.ASLEEP and self.now < rest.retry_at
        shut = rest.presence in (Presence.SHUT, Presence.CLOSING) or asleep
        closing = rest.presence is Presence.CLOSING and policy.when is Load.SCHEDULED
        if closing:
            self.ever_ready.discard(deployment)
        elif policy.waits and not shut:
            self.ever_ready.add(deployment)
        try:
            return super().refusal(deployment, size_bytes, origin)
        finally:
            self.ever_ready = before

    def do(self, actions: Sequence[Action]) -> None:
        super().do(actions)
        for name in self.served:  # that much is the engine's choice
            if DeploymentId(name) in self.engine.pools:
                self.wanted[name] = self.pool(name).wanted

    def do_to_replicas(self, action: FleetAction) -> None:
        match action:
            case Say(deployment, news):
                self.news.append((deployment, news))
                self.hear(deployment, news)
            case Evict(replica) if self.lets_go(self.replicas[replica].deployment):
                copy = self.replicas[replica]
                assert not copy.evicted
                assert not copy.calls, "it works"
                copy.evicted = True
            case Start(deployment, _):  # in one turn it may be started, and the next moment let go
                self.wanted[deployment] = self.pool(deployment).rest.full
                super().do_to_replicas(action)
                held = sum(
                    self.policies[c.deployment].load.needed_bytes or 0
                    for c in self.replicas.values()
                )
                assert held <= self.budget, "it does not fit"
            case Kill(replica):
                assert self.replicas[replica].evicted or self.replicas[replica].doomed
            case _:
                super().do_to_replicas(action)

    def lets_go(self, deployment: str) -> bool:
        over = self.stop_by < inf or deployment in self.leave_by
        return not over and self.presence(deployment) is not Presence.AWAKE

    def hear(self, deployment: str, news: News) -> None:
        policy = self.policies[deployment].load
        if news in UNLOADED:
            self.ever_ready.discard(deployment)
        if news in (News.IDLE, News.EVICTED, News.CLOSED):
            assert not self.live(deployment), "somebody waits for it"
        if news is News.IDLE:
            assert policy.idle_unload_s is not None
            assert self.now >= self.used[deployment] + policy.idle_unload_s, "too early"

    def settled(self, request: Request, outcome: Outcome, place: int) -> None:
        if outcome is Outcome.UNREADY:
            assert request.outcome is None
            assert request.at is None
            assert not [c for c in self.staying(request.deployment) if c.ready]
            request.outcome = outcome
        else:
            super().settled(request, outcome, place)

    def compare(self) -> None:
        super().compare()
        for name in self.served:
            if self.live(name):
                self.used[name] = self.now


PLAIN, TASKS = POLICIES["plain"], POLICIES["tasks"]
KINDS = {
    "waits": resting(PLAIN, waits=True, idle_unload_s=1.0),
    "refuses": resting(TASKS, idle_unload_s=0.3),
    "behind": resting(PLAIN, Load.BACKGROUND, waits=True),
    "daily": resting(TASKS, Load.SCHEDULED, waits=True),
    "brief": resting(PLAIN, Load.EAGER, idle_unload_s=2.0, waits=True),
    "large": resting(POLICIES["batched"], needed_bytes=25, waits=True),
}


def happen(world: Resting, chance: Random) -> None:
    """Let one thing happen."""
    dice = chance.random()
    name = chance.choice(world.served)
    if dice < 0.25:
        for _ in range(chance.randint(1, 4)):
            world.arrive(name, chance.choice([0.01, 1.0, 30.0]))
    elif dice < 0.3 and world.last:
        world.hang_up(RequestId(chance.randint(max(1, world.last - 10), world.last)))
    elif dice < 0.65 and world.replicas:
        happen_to_replica(world, chance)
    elif dice < 0.75:
        world.ring()
    elif dice < 0.82:
        chance.choice([world.want, world.unwant])(name)
    elif dice < 0.9:
        world.bury_leavers()
    else:
        world.pass_time(chance.choice([0.0, 0.01, 0.3, 1.0, 6.0, 40.0]))


def happen_to_replica(world: Resting, chance: Random) -> None:
    copy = chance.choice(list(world.replicas.values()))
    dice = chance.random()
    first = world.pool(copy.deployment).rest.gates
    if not copy.ready and (dice < 0.8 or first):
        world.get_ready(copy)
    elif not copy.ready:
        world.die(copy, Why.ASKED if copy.evicted else Why.SETUP, chance.random())
    elif dice < 0.03 or copy.doomed:
        gone = copy.evicted or copy.doomed
        world.die(copy, Why.ASKED if gone else Why.CRASHED, chance.random())
    else:
        world.go_on(copy, 0.004, chance.randint(0, 3))


def walk(seed: int, steps: int) -> Resting:
    """Let `steps` events happen, then come to an end."""
    chance = Random(seed)
    names = chance.sample(sorted(KINDS), chance.randint(1, 4))
    world = Resting({name: KINDS[name] for name in names}, chance.choice([20, 30, 55, inf]))
    for _ in range(steps):
        happen(world, chance)
        if chance.random() < 0.5:
            world.end_turn()
    world.come_to_an_end()
    return world
