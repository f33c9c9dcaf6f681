"""Any order of events keeps every promise. No sleeping, no mocks, no event loop."""

from __future__ import annotations

import os
from math import inf

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from headrace.core.messages import ReplicaId, RequestId, Serial, Why
from headrace.core.records import Lower, Origin
from tests.core import behind
from tests.core.changing import retire, scale
from tests.core.many import MODELS, hold
from tests.core.parts import stream
from tests.core.scripted import Scripted
from tests.core.walk import LOWERS, PASSING_S, POLICIES, TOGETHER, TOOK_S, WAIT_S, walk
from tests.core.world import World

SOAK = "TESTS_SOAK" in os.environ
ONLY_VERDICT = "TESTS_NO_SHRINKING" in os.environ  # whether it fails is all the mutants ask
PHASES = (
    [Phase.generate]
    if ONLY_VERDICT
    else [phase for phase in Phase if phase is not Phase.explain]  # a tracer, minutes long
)
DEATHS = st.sampled_from([Why.KILLED, Why.CRASHED])
ENDS = st.booleans()


class AnyOrder(RuleBasedStateMachine):
    """Every rule may share its turn with the next ones, or end it."""

    world: World

    @initialize(
        names=st.sampled_from(TOGETHER),
        trusted=st.booleans(),
        contested_runs=st.booleans(),
        ready=st.booleans(),
    )
    def begin(self, names: list[str], *, trusted: bool, contested_runs: bool, ready: bool) -> None:
        policies = {name: POLICIES[name] for name in names}
        self.world = World(policies, trusted=trusted, contested_runs=contested_runs)
        if ready:
            for copy in list(self.world.replicas.values()):
                self.world.get_ready(copy)

    def over(self, *, ends: bool) -> None:
        if ends:
            self.world.end_turn()

    def copies(self, *, ready: bool = True) -> list[Scripted]:
        return [copy for copy in self.world.replicas.values() if copy.ready is ready]

    def busy(self) -> list[Scripted]:
        return [copy for copy in self.world.replicas.values() if copy.calls]

    # --- callers -------------------------------------------------------------------------

    @rule(
        data=st.data(),
        count=st.integers(1, 6),
        wait_s=st.sampled_from(WAIT_S),
        ends=ENDS,
    )
    def arrive(self, data: st.DataObject, count: int, wait_s: float, *, ends: bool) -> None:
        if not self.world.served:
            return
        name = data.draw(st.sampled_from(self.world.served))
        for _ in range(count):
            self.world.arrive(name, wait_s)
        self.over(ends=ends)

    @rule(data=st.data(), count=st.integers(1, 4), lower=st.sampled_from(LOWERS), ends=ENDS)
    def arrive_behind(self, data: st.DataObject, count: int, lower: Lower, *, ends: bool) -> None:
        if not self.world.served:
            return
        name = data.draw(st.sampled_from(self.world.served))
        for _ in range(count):
            behind.arrive(self.world, name, lower)
        self.over(ends=ends)

    @precondition(lambda self: self.world.last)
    @rule(data=st.data(), wait_s=st.sampled_from([0.01, 60.0]), ends=ENDS)
    def ask_from_within(self, data: st.DataObject, wait_s: float, *, ends: bool) -> None:
        running = [number for number in self.world.requests if self.world.runs(number)]
        numbers = running or [RequestId(data.draw(st.integers(1, self.world.last)))]
        parents = data.draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=3, unique=True))
        origin = Origin(tuple(parents), data.draw(st.booleans()))
        if not self.world.served:
            return
        name = data.draw(st.sampled_from(self.world.served))
        self.world.arrive(name, wait_s, origin)
        self.over(ends=ends)

    @precondition(lambda self: self.world.last)
    @rule(data=st.data(), ends=ENDS)
    def hang_up(self, data: st.DataObject, *, ends: bool) -> None:
        live = [request.id for request in self.world.live()]
        numbers = live or [RequestId(data.draw(st.integers(1, self.world.last)))]
        self.world.hang_up(data.draw(st.sampled_from(numbers)))
        self.over(ends=ends)

    # --- replicas ------------------------------------------------------------------------

    @precondition(lambda self: self.copies(ready=False))
    @rule(data=st.data(), ends=ENDS)
    def get_ready(self, data: st.DataObject, *, ends: bool) -> None:
        self.world.get_ready(data.draw(st.sampled_from(self.copies(ready=False))))
        self.over(ends=ends)

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), looks=st.booleans())
    def claim(self, data: st.DataObject, *, looks: bool) -> None:
        copy = data.draw(st.sampled_from(self.busy()))
        copy.claim()
        if looks:
            copy.look()

    @precondition(lambda self: any(copy.recalled for copy in self.copies()))
    @rule()
    def hand_over_early(self) -> None:
        for copy in self.copies():
            self.world.hand_over_early(copy)

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), took_s=st.sampled_from(TOOK_S), count=st.integers(1, 4), ends=ENDS)
    def go_on(self, data: st.DataObject, took_s: float, count: int, *, ends: bool) -> None:
        """A replica ends up to `count` calls, or hands them over."""
        copy = data.draw(st.sampled_from(self.busy()))
        for _ in range(count):
            self.world.go_on(copy, took_s, data.draw(st.integers(0, 3)))
        self.over(ends=ends)

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), pick=st.integers(0, 5), stops=st.booleans(), ends=ENDS)
    def send_a_part(self, data: st.DataObject, pick: int, *, stops: bool, ends: bool) -> None:
        stream(self.world, data.draw(st.sampled_from(self.busy())), pick, ends=stops)
        self.over(ends=ends)

    @precondition(lambda self: any(copy.policy.multiplexed for copy in self.copies()))
    @rule(
        data=st.data(),
        models=st.lists(st.sampled_from(MODELS[1:]), max_size=2),
        load_s=st.sampled_from([0.0, 0.01, 0.4]),
        ends=ENDS,
    )
    def hold(self, data: st.DataObject, models: list[str], load_s: float, *, ends: bool) -> None:
        able = [copy for copy in self.copies() if copy.policy.multiplexed]
        hold(self.world, data.draw(st.sampled_from(able)), models, load_s)
        self.over(ends=ends)

    @precondition(lambda self: self.world.names)
    @rule(data=st.data(), serial=st.integers(0, 12), ends=ENDS)
    def report_what_is_not_there(self, data: st.DataObject, serial: int, *, ends: bool) -> None:
        names = [*sorted(self.world.names), ReplicaId("nobody/1")]
        self.world.finish_stale(data.draw(st.sampled_from(names)), Serial(serial))
        self.over(ends=ends)

    @precondition(lambda self: self.copies())
    @rule(data=st.data(), why=DEATHS, chance=st.floats(0, 0.99), ends=ENDS)
    def die(self, data: st.DataObject, why: Why, chance: float, *, ends: bool) -> None:
        self.world.die(data.draw(st.sampled_from(self.busy() or self.copies())), why, chance)
        self.over(ends=ends)

    @precondition(lambda self: any(copy.doomed for copy in self.copies()))
    @rule(ends=ENDS)
    def die_as_asked(self, *, ends: bool) -> None:
        for copy in [copy for copy in self.copies() if copy.doomed]:
            self.world.die(copy, Why.ASKED)
        self.over(ends=ends)

    @precondition(lambda self: self.copies(ready=False))
    @rule(data=st.data(), ends=ENDS)
    def fail_to_load(self, data: st.DataObject, *, ends: bool) -> None:
        self.world.die(data.draw(st.sampled_from(self.copies(ready=False))), Why.SETUP)
        self.over(ends=ends)

    # --- more and fewer ------------------------------------------------------------------

    @precondition(lambda self: self.world.served)
    @rule(data=st.data(), replicas=st.integers(0, 3), ends=ENDS)
    def scale(self, data: st.DataObject, replicas: int, *, ends: bool) -> None:
        scale(self.world, data.draw(st.sampled_from(self.world.served)), replicas)
        self.over(ends=ends)

    @precondition(lambda self: self.world.last > 8 and self.world.served)
    @rule(data=st.data(), grace_s=st.sampled_from([0.0, 1.0, 30.0]))
    def retire(self, data: st.DataObject, grace_s: float) -> None:
        retire(self.world, data.draw(st.sampled_from(self.world.served)), grace_s)

    # --- time ----------------------------------------------------------------------------

    @rule(seconds=st.sampled_from(PASSING_S))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: self.world.alarm < inf)
    @rule()
    def obey_the_alarm(self) -> None:
        self.world.ring()

    @precondition(lambda self: self.world.last > 8)
    @rule(grace_s=st.sampled_from([0.0, 1.0, 30.0]))
    def ask_to_stop(self, grace_s: float) -> None:
        if not self.world.drained:
            self.world.ask_to_stop(grace_s)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.come_to_an_end()


AnyOrder.TestCase.settings = settings(
    phases=PHASES,
    derandomize=ONLY_VERDICT,
    database=None,
    max_examples=3000 if SOAK else 40,
    stateful_step_count=80 if SOAK else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = AnyOrder.TestCase


@pytest.mark.parametrize("seed", range(6))
def test_a_long_day_keeps_every_promise(seed: int) -> None:
    for part in range(100 if SOAK else 4):
        walk(100 * seed + part, steps=250)
