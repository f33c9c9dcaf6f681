"""How many jobs are claimed, and what the end of an attempt says: tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import claiming
from headrace.core.attempts import Said
from headrace.core.batching import BatchPolicy
from headrace.core.claiming import LONGEST_PAUSE_S, MOST_AHEAD
from headrace.core.loading import Presence
from headrace.core.messages import DeploymentId, ReplicaId
from headrace.core.records import Copy, Policy, Pool
from headrace.core.replicas import State


def pool_of(policy: Policy, *, ready: int, took_s: float = -1.0, n: int = 1) -> Pool:
    pool = Pool(DeploymentId("here"), policy)
    for number in range(ready):
        name = ReplicaId(f"here/{number}")
        pool.copies[name] = Copy(name, pool, State.READY)
    if took_s > 0:
        pool.pace.learn(n, took_s)
    return pool


@pytest.mark.parametrize(
    ("policy", "ready", "took_s", "most"),
    [
        (Policy(), 0, 0.1, 0),
        (Policy(), 1, -1.0, 1),
        (Policy(), 2, 60.0, 2),
        (Policy(), 1, 0.1, 1 + 2),
        (Policy(), 2, 0.001, 2 + MOST_AHEAD),
        (Policy(batch=BatchPolicy(8)), 1, 0.1, 8 + 20),
        (Policy(slots=100), 1, 1.0, 90 + 22),
    ],
)
def test_as_many_as_run_now_and_those_that_follow_at_once(
    policy: Policy, ready: int, took_s: float, most: int
) -> None:
    size = policy.batch.max_size
    assert claiming.most(pool_of(policy, ready=ready, took_s=took_s, n=size)) == most


@given(here=st.integers(0, 400), ready=st.integers(0, 5), took_s=st.floats(0.0001, 100))
def test_never_more_than_may_be_here(here: int, ready: int, took_s: float) -> None:
    pool = pool_of(Policy(), ready=ready, took_s=took_s)
    assert here + claiming.wish(pool, here) <= max(here, claiming.most(pool))


@given(here=st.integers(0, 400), took_s=st.floats(0.0001, 100))
def test_an_idle_replica_always_gets_one(here: int, took_s: float) -> None:
    pool = pool_of(Policy(replicas=4), ready=4, took_s=took_s)
    assert claiming.wish(pool, here) > 0 or here >= 4


def test_quick_jobs_are_fetched_many_at_once() -> None:
    pool = pool_of(Policy(), ready=1, took_s=0.001)
    assert claiming.wish(pool, claiming.most(pool) - 5) == 0


@pytest.mark.parametrize(
    ("presence", "here", "wish"),
    [
        (Presence.AWAKE, 0, 0),
        (Presence.ASLEEP, 0, 1),
        (Presence.ASLEEP, 1, 0),
        (Presence.QUEUED, 0, 1),
        (Presence.SHUT, 0, 1),
        (Presence.CLOSING, 0, 0),
    ],
)
def test_one_job_wakes_what_sleeps(presence: Presence, here: int, wish: int) -> None:
    pool = pool_of(Policy(), ready=0)
    pool.rest.presence = presence
    assert claiming.wish(pool, here) == wish


def test_a_deployment_on_its_way_out_gets_none() -> None:
    pool = pool_of(Policy(), ready=1)
    pool.exit.ask(1.0, 1000.0)
    assert claiming.wish(pool, 0) == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, Said.SUCCEEDED),
        (204, Said.SUCCEEDED),
        (302, Said.SUCCEEDED),
        (400, Said.REFUSED),
        (404, Said.REFUSED),
        (422, Said.REFUSED),
        (408, Said.FAILED),
        (425, Said.FAILED),
        (429, Said.FAILED),
        (500, Said.FAILED),
        (503, Said.FAILED),
    ],
)
def test_a_status_says_whether_another_attempt_may_do_better(status: int, said: Said) -> None:
    assert claiming.said_of(status) is said


@pytest.mark.parametrize(
    ("is_blamed", "retry_safe", "said"),
    [
        (True, True, Said.FAILED),
        (False, True, Said.LOST),
        (True, False, Said.LOST),
        (False, False, Said.LOST),
    ],
)
def test_only_a_crash_that_it_alone_can_have_made_counts_against_a_job(
    is_blamed: bool,  # noqa: FBT001 - a column
    retry_safe: bool,  # noqa: FBT001 - likewise
    said: Said,
) -> None:
    assert claiming.said_of_loss(is_blamed=is_blamed, retry_safe=retry_safe) is said


def test_a_store_that_cannot_write_is_left_alone_longer_and_longer() -> None:
    pauses, pause_s = [], 0.0
    for _ in range(12):
        pause_s = claiming.next_pause_s(pause_s)
        pauses.append(pause_s)
    assert pauses == sorted(pauses)
    assert pauses[0] < 1 < pauses[-1] == LONGEST_PAUSE_S
