"""Batches grow where that pays, stay small where it does not, and keep to a target."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import batching
from headrace.core.batching import BatchPolicy, Curve
from headrace.core.sizing import PROBE_EVERY, WASTE, fitting, size_of_calls
from tests.core.days import Day, crowd, flat, rare_day, steep


def learned(a: float, b: float, sizes: tuple[int, ...] = (1, 8, 64)) -> Curve:
    curve = Curve()
    for n in sizes:
        curve.learn(n, a * n + b)
    return curve


@given(st.floats(1e-5, 1), st.floats(0, 1), st.integers(2, 256))
def test_a_call_is_as_large_as_it_must_be_to_waste_little(a: float, b: float, most: int) -> None:
    size = size_of_calls(learned(a, b), BatchPolicy(most), calls=1)
    assert 1 <= size <= most
    if size < most:
        assert b / size <= 1.5 * WASTE * a or size == 1, "the fixed cost is a small part"
    if size > 1:
        assert b / (size - 1) >= 0.6 * WASTE * a or size == 1, "no larger than that takes"


def test_before_two_sizes_are_known_a_call_may_be_as_large_as_the_option_says() -> None:
    assert size_of_calls(Curve(), BatchPolicy(32), calls=0) == 32
    assert size_of_calls(learned(0.1, 0.0, (4,)), BatchPolicy(32), calls=0) == 32


def test_a_target_bounds_a_call_to_half_of_it() -> None:
    policy = BatchPolicy(64, 0.0, latency_target_s=0.21)
    assert size_of_calls(learned(0.01, 0.04), policy, calls=1) == 6
    assert size_of_calls(learned(0.0, 0.04), policy, calls=1) == 64
    assert size_of_calls(learned(0.01, 0.4), policy, calls=1) == 1, "it cannot be kept: do the best"


def test_now_and_then_a_larger_one_is_tried() -> None:
    curve, policy = learned(0.01, 0.004), BatchPolicy(64)
    usual = size_of_calls(curve, policy, calls=1)
    assert usual == 4
    assert size_of_calls(curve, policy, calls=PROBE_EVERY) == 2 * usual


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 10), st.integers(1, 256))
def test_what_fits_fits(a: float, b: float, longest_s: float, most: int) -> None:
    size = fitting(a, b, longest_s, most)
    assert 1 <= size <= most
    assert size == 1 or a * size + b <= longest_s * 1.0001
    if 1 < size < most:
        assert a * (size + 1) + b > longest_s * 0.9999


def busy_day(cost: Callable[[int], float], *, target_s: float | None = None) -> Day:
    day = Day(cost, target_s=target_s)
    crowd(day, 64, Random(5), first_s=0.0003, each_s=0.00005)
    day.live_until(0.5)
    return day


def test_where_a_call_costs_the_same_for_many_it_grows() -> None:
    assert fmean(busy_day(flat).sizes[-30:]) > 55


def test_where_each_costs_its_own_it_stays_small() -> None:
    day = busy_day(steep)
    assert fmean(day.sizes[-300:]) < 4
    assert sum(day.sizes) > 0.95 * 0.5 / steep(1), "and nothing is lost by it"


@pytest.mark.parametrize("target_s", [0.02, 0.05])
def test_a_target_is_kept_by_all_who_do_not_queue(target_s: float) -> None:
    def cost(n: int) -> float:
        return 0.004 + 0.0015 * n

    day = rare_day(150, cost, 4.0, target_s)
    late = sorted(day.waits[len(day.waits) // 2 :])
    assert late[int(0.95 * len(late))] <= target_s


def test_a_change_for_the_better_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "STALE_CALLS", 100)
    costs = [steep]

    def cost(n: int) -> float:
        return costs[-1](n)

    day = Day(cost)
    crowd(day, 64, Random(5), first_s=0.0003, each_s=0.00005)
    day.live_until(0.2)
    assert fmean(day.sizes[-100:]) < 4
    costs.append(flat)
    day.live_until(2.0)
    assert fmean(day.sizes[-20:]) > 40


def test_a_slow_first_call_is_forgiven() -> None:
    day = Day(steep, target_s=None, warm_up_s=2.0)
    crowd(day, 16, Random(5), first_s=0.0003, each_s=0.00005)
    day.live_until(4.0)
    assert fmean(day.sizes[-100:]) < 4


def test_a_crowd_that_fills_every_call_shows_other_sizes_too() -> None:
    curve, policy = Curve(), BatchPolicy(16)
    for calls in range(1, 9):
        curve.learn(16, 1.6)
        size = size_of_calls(curve, policy, calls)
    assert size == 1
    curve.learn(1, 0.1)
    assert size_of_calls(curve, policy, 9) == 1, "each costs its own"
