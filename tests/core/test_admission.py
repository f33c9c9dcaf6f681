"""Who is let in, and when the others may come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.admission import LATEST_S, SOONEST_S, UNMEASURED_S, admit, retry_after_s
from headrace.core.flow import WINDOW_S, Flow
from headrace.core.messages import DeploymentId, ReplicaId
from headrace.core.records import Copy, Policy, Pool
from headrace.core.replicas import State
from headrace.errors import Draining, QueueFull, StillLoading

NOW = 5000.0


def pool_of(policy: Policy | None = None, *, ready: int = 1, queued: int = 0) -> Pool:
    pool = Pool(DeploymentId("m"), policy or Policy(), flow=Flow(mark=NOW, before=NOW))
    for number in range(ready):
        name = ReplicaId(f"m/{number}")
        pool.copies[name] = Copy(name, pool, state=State.READY)
    pool.ever_ready, pool.sent = bool(ready), queued
    return pool


def test_the_bound_counts_what_was_sent_and_not_begun() -> None:
    admit(pool_of(Policy(max_queued=3), queued=2), 0, NOW, draining=False)
    with pytest.raises(QueueFull) as refused:
        admit(pool_of(Policy(max_queued=3), queued=3), 0, NOW, draining=False)
    assert refused.value.retry_after_s == UNMEASURED_S


def test_bytes_count_as_well_while_they_come_and_while_they_wait() -> None:
    pool = pool_of(Policy(max_queued_bytes=1000))
    pool.queued_bytes, pool.coming_bytes = 400, 500
    admit(pool, 100, NOW, draining=False)
    with pytest.raises(QueueFull, match="900 bytes already wait for m"):
        admit(pool, 101, NOW, draining=False)


def test_a_body_over_the_bound_may_come_alone() -> None:
    pool = pool_of(Policy(max_queued_bytes=1000))
    admit(pool, 5000, NOW, draining=False)
    pool.coming_bytes = 1
    with pytest.raises(QueueFull):
        admit(pool, 5000, NOW, draining=False)


def test_nobody_is_let_in_before_a_replica_was_ready_or_after_the_end_has_begun() -> None:
    with pytest.raises(StillLoading):
        admit(pool_of(ready=0), 0, NOW, draining=False)
    with pytest.raises(Draining):
        admit(pool_of(), 0, NOW, draining=True)


@given(st.integers(1, 10_000), st.integers(1, 4), st.floats(1e-5, 10), st.integers(0, 8))
def test_it_is_the_queue_over_what_the_replicas_can_do(
    queued: int, ready: int, took_s: float, slots: int
) -> None:
    pool = pool_of(Policy(slots=slots), ready=ready, queued=queued)
    pool.pace.learn(1, took_s)
    expected = queued * took_s / (ready * max(slots, 1))
    assert retry_after_s(pool, NOW) == pytest.approx(min(max(expected, SOONEST_S), LATEST_S))


@given(st.integers(1, 1000), st.floats(0.1, 1000))
def test_it_is_the_queue_over_what_ended_lately(queued: int, rate: float) -> None:
    pool = pool_of(ready=0, queued=queued)
    pool.flow.ended = round(rate * 4)
    expected = queued / (round(rate * 4) / 4) if round(rate * 4) else UNMEASURED_S
    wait = retry_after_s(pool, NOW + 4)
    assert wait == pytest.approx(min(max(expected, SOONEST_S), LATEST_S))


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 500)), max_size=20))
def test_it_stays_within_bounds(turns: list[tuple[float, int]]) -> None:
    pool, now = pool_of(queued=50), NOW
    for later_s, ended in turns:
        now += later_s
        pool.flow.roll(now)
        pool.flow.ended += ended
        assert SOONEST_S <= retry_after_s(pool, now) <= LATEST_S


@given(st.floats(10, 200))
def test_a_steady_rate_is_measured_and_a_pause_is_forgotten(rate: float) -> None:
    flow, now = Flow(mark=NOW, before=NOW), NOW
    for _ in range(100):
        now += 0.2
        flow.roll(now)
        flow.ended += round(rate * 0.2)
    assert flow.rate(now) == pytest.approx(round(rate * 0.2) / 0.2, rel=0.1)
    now += 3600
    flow.roll(now)
    flow.ended += 50
    assert flow.rate(now + 1) == pytest.approx(50)
    assert flow.rate(now + WINDOW_S) == pytest.approx(50 / WINDOW_S)
