"""How many replicas there are to be: by the load, with patience both ways, without flapping."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.scaling import SLACK, Change, Gauge, ScalePolicy, look

POLICY = ScalePolicy(least=1, most=10, target=2.0, up_s=3.0, down_s=60.0)


class Deployment:
    """A gauge that is looked at when it asks for it; every change is made."""

    def __init__(self, have: int = 1, policy: ScalePolicy = POLICY) -> None:
        self.policy, self.have, self.now = policy, have, 0.0
        self.gauge = Gauge()
        self.gauge.begin(policy, 0.0)
        self.changes: list[tuple[float, Change]] = []

    def live(self, load: float, seconds: float) -> None:
        """Let so much time pass under one load."""
        until = self.now + seconds
        while self.gauge.look_at <= until:
            self.look(load, self.gauge.look_at)
        self.now = until

    def look(self, load: float, now: float) -> None:
        change = look(self.gauge, self.policy, self.have, int(load), now)
        if change is not None:
            self.changes.append((now, change))
            self.have = change.after
            self.gauge.begin(self.policy, now)
            self.gauge.last = change


@pytest.mark.parametrize(
    ("load", "have", "after"),
    [(3, 1, 2), (9, 4, 5), (8, 4, 4), (1000, 1, 10), (2, 1, 1), (0, 1, 1)],
)
def test_there_are_as_many_as_the_load_asks_for(load: int, have: int, after: int) -> None:
    deployment = Deployment(have)
    deployment.live(load, POLICY.up_s + 2 * POLICY.nap_s)
    assert deployment.have == after


@pytest.mark.parametrize(
    ("load", "have", "after"), [(0, 10, 1), (3, 10, 2), (8, 10, 5), (7, 5, 5), (2, 2, 2), (1, 2, 1)]
)
def test_fewer_are_enough_with_some_slack(load: int, have: int, after: int) -> None:
    deployment = Deployment(have)
    deployment.live(load, POLICY.down_s + 2 * POLICY.nap_s)
    assert deployment.have == after
    assert load * SLACK <= after * POLICY.target or after == have


def test_the_reason_is_told_in_numbers() -> None:
    deployment = Deployment(4)
    deployment.live(9, 5.0)
    ((when, change),) = deployment.changes
    assert (change.before, change.after, change.capacity) == (4, 5, 8.0)
    assert change.load == pytest.approx(9.0)
    assert change.seconds == pytest.approx(POLICY.up_s)
    assert POLICY.up_s <= when <= POLICY.up_s + POLICY.nap_s


def test_a_crowd_that_is_over_before_the_patience_changes_nothing() -> None:
    deployment = Deployment()
    for _ in range(10):
        deployment.live(100, 1.4)
        deployment.live(0, 1.4 * 100 / 2)
    assert not deployment.changes


def test_a_lull_that_is_over_before_the_patience_changes_nothing() -> None:
    deployment = Deployment(5)
    for _ in range(10):
        deployment.live(0, 50.0)
        deployment.live(10, 250.0)
    assert not deployment.changes


def test_a_lull_of_long_ago_does_not_shrink_what_has_work_again() -> None:
    deployment = Deployment(5)
    deployment.live(0, 50.0)
    for _ in range(40):
        deployment.live(10, 1.35)
        deployment.live(0, 0.15)
    assert not deployment.changes


def test_a_load_that_comes_in_waves_is_taken_for_its_mean() -> None:
    deployment = Deployment()
    for _ in range(40):
        deployment.live(20, 0.3)
        deployment.live(0, 0.3)
    assert deployment.have in (4, 5, 6)
    assert len(deployment.changes) <= 2


@given(st.lists(st.floats(0, 2.99), max_size=50))
def test_looking_often_does_not_hurry_it(times: list[float]) -> None:
    deployment = Deployment()
    for now in sorted(times):
        deployment.look(100, now)
    assert deployment.have == 1
    deployment.now = deployment.gauge.look_at = 3.0
    deployment.live(100, 4.0)
    assert deployment.have == 10


def test_a_machine_that_slept_has_seen_no_load_meanwhile() -> None:
    deployment = Deployment()
    deployment.live(100, 0.2)
    deployment.look(100, 10_000.0)
    assert deployment.have == 1


@given(
    load=st.integers(0, 40),
    have=st.integers(1, 10),
    target=st.floats(0.5, 10),
    up_s=st.sampled_from([0.2, 3.0, 90.0]),
    down_s=st.sampled_from([0.5, 60.0]),
)
def test_a_steady_load_finds_its_number_and_stays_there(
    load: int, have: int, target: float, up_s: float, down_s: float
) -> None:
    deployment = Deployment(have, ScalePolicy(1, 10, target, up_s, down_s))
    deployment.live(load, 3 * (up_s + down_s + 2.0))
    assert len(deployment.changes) <= 1
    right = min(max(ceil(load / target - 1e-9), 1), 10)
    assert deployment.have >= right
    assert deployment.have in (have, right, min(max(ceil(load * SLACK / target - 1e-9), 1), 10))


@given(seed=st.integers(0, 10_000), mean=st.integers(10, 60))
def test_noise_of_a_tenth_does_not_make_it_flap(seed: int, mean: int) -> None:
    chance = Random(seed)
    deployment = Deployment(chance.randint(1, 40), ScalePolicy(1, 40, 2.0, 0.5, 2.0))
    for _ in range(400):
        deployment.live(mean * chance.uniform(0.92, 1.08), 0.05)
    ways = [change.after > change.before for _, change in deployment.changes]
    turns = sum(one != other for one, other in pairwise(ways))
    assert turns <= 1, "it overshot once at the most"


def test_what_goes_comes_back_only_for_a_fifth_more() -> None:
    """The promise behind the calm: between going and coming lies a fifth of the load."""
    for load in range(1, 40):
        shrunk = POLICY.wish(load / 2 * SLACK)
        assert POLICY.wish(load / 2 * (SLACK - 0.001)) <= shrunk


@pytest.mark.parametrize(("least", "floor"), [(0, 1), (1, 1), (3, 3)])
def test_the_last_one_goes_for_idleness_only(least: int, floor: int) -> None:
    deployment = Deployment(5, ScalePolicy(least, 8))
    deployment.live(0, 200.0)
    assert deployment.have == floor


def test_an_idle_deployment_is_looked_at_seldom() -> None:
    deployment = Deployment()
    deployment.live(0, 10.0)
    assert deployment.gauge.look_at - deployment.gauge.looked_at == 1.0
    deployment.live(5, 2.0)
    assert deployment.gauge.look_at - deployment.gauge.looked_at == pytest.approx(0.15)
