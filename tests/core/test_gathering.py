"""Who was answered together comes back together, and is waited for only where that pays."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import gathering
from headrace.core.batching import Curve
from tests.core.days import Day, crowd, flat, rare_day, steep


def crowd_day(clients: int, cost: Callable[[int], float], seconds: float) -> Day:
    day = Day(cost)
    crowd(day, clients, Random(clients), first_s=0.0003, each_s=0.00005)
    day.live_until(seconds)
    return day


@pytest.fixture
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be waited for."""
    monkeypatch.setattr(gathering, "LEAST_S", inf)


def test_a_crowd_does_not_fall_apart_in_halves() -> None:
    day = crowd_day(64, flat, 1.0)
    assert fmean(day.sizes[-50:]) > 60
    assert len(day.waits) / 1.0 > 1.15 * 64 / (2 * flat(32)), "two halves by turns do no more"


@pytest.mark.usefixtures("in_haste")
def test_it_does_so_where_nobody_is_waited_for() -> None:
    assert fmean(crowd_day(64, flat, 1.0).sizes[-50:]) < 40


@pytest.mark.parametrize("clients", [2, 5, 17, 40])
def test_a_small_crowd_stays_together_too(clients: int) -> None:
    assert fmean(crowd_day(clients, flat, 1.0).sizes[-50:]) > 0.9 * clients


def test_a_client_alone_never_waits() -> None:
    day = crowd_day(1, flat, 1.0)
    assert max(day.waits) == pytest.approx(flat(1))


def test_the_first_after_a_crowd_has_left_does_not_wait_for_it() -> None:
    day = crowd_day(64, flat, 0.5)
    day.leave()
    day.live_until(10.0)
    before = len(day.waits)
    day.at(10.0, day.ask)
    day.live_until(11.0)
    assert day.waits[before:] == [pytest.approx(flat(1))]


@pytest.mark.parametrize("cost", [flat, steep])
@pytest.mark.parametrize("rate", [5, 150, 1500, 4000])
def test_those_who_come_by_chance_wait_no_longer_for_it(
    rate: float, cost: Callable[[int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1500 / rate
    patient = rare_day(rate, cost, seconds)
    monkeypatch.setattr(gathering, "LEAST_S", inf)
    hasty = rare_day(rate, cost, seconds)
    assert fmean(patient.waits) <= 1.05 * fmean(hasty.waits) + 1e-6
    assert len(patient.waits) >= 0.99 * len(hasty.waits)


def test_where_batches_gain_nothing_nobody_waits() -> None:
    day = crowd_day(64, steep, 0.5)
    busy_s = sum(map(steep, day.sizes))
    assert busy_s > 0.95 * 0.5


@given(st.lists(st.integers(1, 64), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_curve_recovers_a_line(sizes: list[int], a: float, b: float) -> None:
    curve = Curve()
    for n in [*sizes, 1, 64]:
        curve.learn(n, a * n + b)
    found_a, found_b = curve.line()
    assert found_a == pytest.approx(a, rel=1e-3, abs=1e-6)
    assert found_b == pytest.approx(b, rel=1e-3, abs=1e-4)


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 10)), max_size=50))
def test_a_curve_never_goes_below_nothing(calls: list[tuple[int, float]]) -> None:
    curve = Curve()
    for n, t_s in calls:
        curve.learn(n, t_s)
    slope, fixed_s = curve.line()
    assert slope >= 0
    assert fixed_s >= -1e-9


def test_while_one_size_is_known_all_of_its_time_may_be_fixed() -> None:
    curve = Curve()
    curve.learn(8, 0.4)
    assert curve.line() == pytest.approx((0.0, 0.4))
    assert Curve().line() == (0.0, 0.0)
