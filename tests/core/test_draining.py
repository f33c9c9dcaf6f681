"""The order of shutdown."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.draining import Notice, Shutdown, Stage, Tally, tally

ROWS = [  # grace, then (live, replicas, seconds after the ask) -> stage
    (10.0, [(1, 1, 0.0, Stage.WAITING), (1, 1, 9.9, Stage.WAITING), (1, 1, 10.0, Stage.EVICTING)]),
    (10.0, [(1, 1, 3.0, Stage.WAITING), (0, 1, 4.0, Stage.EVICTING), (0, 0, 4.1, Stage.DONE)]),
    (10.0, [(0, 0, 0.0, Stage.DONE)]),
    (0.0, [(5, 2, 0.0, Stage.EVICTING), (5, 2, 4.9, Stage.EVICTING), (5, 2, 5.0, Stage.KILLING)]),
    (0.0, [(5, 2, 0.0, Stage.EVICTING), (1, 1, 5.5, Stage.KILLING), (0, 0, 5.6, Stage.DONE)]),
]


@pytest.mark.parametrize(("grace_s", "steps"), ROWS)
def test_it_moves_on(grace_s: float, steps: list[tuple[int, int, float, Stage]]) -> None:
    shutdown = Shutdown()
    shutdown.ask(grace_s, now=100.0)
    for live, replicas, after_s, stage in steps:
        assert shutdown.step(live=live, replicas=replicas, now=100.0 + after_s) is stage


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 20)), min_size=1, max_size=5))
def test_asking_again_never_puts_the_end_off(asks: list[tuple[float, float]]) -> None:
    shutdown, now, end = Shutdown(), 0.0, inf
    for grace_s, later_s in asks:
        shutdown.ask(grace_s, now)
        assert shutdown.next_at() <= end + 1e-9
        end, now = shutdown.next_at(), now + later_s


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 9)), max_size=20))
def test_it_never_goes_back(steps: list[tuple[int, int, float]]) -> None:
    shutdown, now, before = Shutdown(), 0.0, Stage.OPEN
    shutdown.ask(5.0, now)
    for live, replicas, later_s in steps:
        now += later_s
        stage = shutdown.step(live=live, replicas=replicas, now=now)
        assert stage >= before
        assert stage is Stage.DONE or shutdown.next_at() > now or stage is Stage.KILLING
        before = stage


def test_time_alone_moves_only_what_waits_or_tears_down() -> None:
    assert Shutdown().next_at() == inf
    assert Shutdown(Stage.WAITING, since=1.0, grace_s=2.0).next_at() == 3.0
    assert Shutdown(Stage.EVICTING, kill_at=6.0).next_at() == 6.0
    assert Shutdown(Stage.KILLING).next_at() == inf


def test_notice_is_given_once_and_asking_again_begins_at_once() -> None:
    notice = Notice()
    assert notice.ask(10.0, now=100.0) == 110.0
    assert notice.given
    assert notice.ask(10.0, now=103.0) == 103.0
    assert notice.ask(0.0, now=105.0) == 103.0  # it has begun


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 20)), min_size=1, max_size=5))
def test_asking_again_never_puts_the_beginning_off(asks: list[tuple[float, float]]) -> None:
    notice, now, begins_at = Notice(), 0.0, inf
    for delay_s, later_s in asks:
        assert notice.ask(delay_s, now) <= begins_at
        begins_at, now = notice.begins_at, now + later_s


@given(st.integers(0, 9), st.integers(0, 9))
def test_whoever_was_under_way_has_finished_or_is_lost(in_flight: int, left: int) -> None:
    told = tally(in_flight, left)
    assert told.in_flight == told.finished + told.cut == max(in_flight, left)
    assert told.cut == left
    assert told + told == Tally(2 * told.in_flight, 2 * told.finished, 2 * told.cut)
