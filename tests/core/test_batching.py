"""When a batch is closed, and how its length is foretold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.batching import UNKNOWN, Pace, due

SIZES = st.lists(st.integers(1, 64), min_size=1, max_size=60)
SECONDS = st.floats(1e-6, 100)


def learned(sizes: list[int], *, per_request_s: float, per_call_s: float) -> Pace:
    pace = Pace()
    for size in sizes:
        pace.learn(size, per_request_s * size + per_call_s)
    return pace


def test_nothing_is_foretold_before_the_first_call() -> None:
    assert Pace().predict_s(3) == UNKNOWN


@given(SIZES, SECONDS, st.integers(1, 64))
def test_what_was_always_the_same_is_foretold(sizes: list[int], took_s: float, size: int) -> None:
    pace = learned(sizes, per_request_s=0.0, per_call_s=took_s)
    assert pace.predict_s(size) == pytest.approx(took_s)


@given(SIZES, st.floats(0, 1), st.floats(0, 1), st.integers(1, 64))
def test_it_recovers_a_line(sizes: list[int], a: float, b: float, size: int) -> None:
    pace = learned([*sizes, 1, 32, 64], per_request_s=a, per_call_s=b)
    assert pace.predict_s(size) == pytest.approx(a * size + b, rel=1e-3, abs=1e-6)


@given(st.lists(st.tuples(st.integers(1, 64), st.floats(0, 10)), min_size=1), st.integers(1, 64))
def test_a_bigger_call_is_never_foretold_shorter(calls: list[tuple[int, float]], n: int) -> None:
    pace = Pace()
    for size, took_s in calls:
        pace.learn(size, took_s)
    assert -1e-9 <= pace.predict_s(n) <= pace.predict_s(n + 1) + 1e-9
    assert pace.calls == len(calls)
    assert pace.requests == sum(size for size, _ in calls)


@given(st.lists(st.floats(0.5, 2.0), min_size=1))
def test_calls_of_one_size_are_foretold_within_what_was_seen(seconds: list[float]) -> None:
    pace = Pace()
    for took_s in seconds:
        pace.learn(4, took_s)
    assert min(seconds) - 1e-9 <= pace.predict_s(4) <= max(seconds) + 1e-9


@given(
    st.integers(1, 99), st.floats(0, 9), st.integers(1, 40), st.sampled_from([0.0, 0.5]), SECONDS
)
def test_a_batch_is_full_or_ripe_or_waits(
    waiting: int, eldest: float, room: int, max_wait_s: float, later_s: float
) -> None:
    now = eldest + later_s
    count = due(waiting, eldest, room, max_wait_s, now)
    if waiting >= room:
        assert count == room
    else:
        assert count == (waiting if now >= eldest + max_wait_s else 0)


def test_it_is_ripe_to_the_instant_the_alarm_is_set_to() -> None:
    assert due(1, 0.1, 8, 0.2, 0.1 + 0.2) == 1
