"""Leases, heartbeats, fencing, and what an attempt that came to nothing means."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import attempts, jobs
from headrace.core.attempts import LEASE_S, LONGEST_AFTER_LOSS_S, MOST_LOSSES, Pulse, Said
from headrace.core.jobs import ENDED, LIVE, Cause, Job, Owner, Status, Terms, UnixS
from headrace.errors import StaleAttempt
from tests.core.test_jobs import NOW, job

ME, OTHER = Owner("me"), Owner("other")
CHANCE = st.floats(0, 1, exclude_max=True)


def running(terms: Terms | None = None, *, failures: int = 0, losses: int = 0) -> Job:
    first = attempts.claimed(job(terms=terms), ME, NOW)
    return replace(first, failures=failures, losses=losses)


def canceling(terms: Terms | None = None, *, losses: int = 0) -> Job:
    return jobs.canceled(running(terms, losses=losses), NOW)


def test_a_claim_is_a_lease_with_a_number() -> None:
    first = running()
    assert (first.status, first.owner, first.attempt) == (Status.RUNNING, ME, 1)
    assert (first.lease_until, first.started_at) == (NOW + LEASE_S, NOW)
    again = attempts.finished(first, Said.RETURNED, NOW, 0.5)
    assert attempts.claimed(again, ME, NOW).attempt == 2


@pytest.mark.parametrize("status", Status)
def test_only_what_is_due_and_in_time_may_be_claimed(status: Status) -> None:
    waits = job(status, Terms(delay_s=10.0, deadline_s=20.0))
    may = [attempts.may_claim(waits, UnixS(NOW + s)) for s in (9.0, 10.0, 19.0, 20.0)]
    assert may == ([False, True, True, False] if status is Status.QUEUED else [False] * 4)


@pytest.mark.parametrize(
    ("owner", "attempt", "status"),
    [
        (OTHER, 1, Status.RUNNING),
        (ME, 2, Status.RUNNING),
        (ME, 0, Status.RUNNING),
        *((ME, 1, status) for status in (*sorted(ENDED), Status.QUEUED)),
    ],
)
def test_a_stale_word_is_refused_and_says_whose_the_job_is(
    owner: Owner, attempt: int, status: Status
) -> None:
    held = replace(running(), status=status)
    with pytest.raises(StaleAttempt, match=f"attempt {attempt} of job one counts no more"):
        attempts.check_holds(held, owner, attempt)
    assert attempts.beaten(held, owner, attempt, NOW) == (held, Pulse.STALE)


@pytest.mark.parametrize(
    ("held", "pulse"), [(running(), Pulse.HOLDS), (canceling(), Pulse.CANCELING)]
)
def test_a_heartbeat_moves_the_lease_on_and_hears_what_to_do(held: Job, pulse: Pulse) -> None:
    attempts.check_holds(held, ME, 1)
    after, heard = attempts.beaten(held, ME, 1, UnixS(NOW + 20))
    assert (after.lease_until, heard) == (NOW + 20 + LEASE_S, pulse)


def test_a_clock_that_is_set_back_shortens_no_lease() -> None:
    after, _ = attempts.beaten(running(), ME, 1, UnixS(NOW - 3600))
    assert after.lease_until == NOW + LEASE_S


def test_a_lease_that_ran_out_is_renewed_while_nobody_took_the_job() -> None:
    after, heard = attempts.beaten(running(), ME, 1, UnixS(NOW + 1000))
    assert (after.lease_until, heard) == (NOW + 1000 + LEASE_S, Pulse.HOLDS)


@pytest.mark.parametrize("held", [running(), canceling()])
def test_a_lease_lapses_when_it_runs_out_and_a_dead_owners_at_once(held: Job) -> None:
    assert not attempts.is_lapsed(held, UnixS(NOW + LEASE_S - 0.1))
    assert attempts.is_lapsed(held, UnixS(NOW + LEASE_S))
    assert attempts.is_lapsed(held, NOW, sole=OTHER)
    assert not attempts.is_lapsed(held, NOW, sole=ME)


@pytest.mark.parametrize("status", [*sorted(ENDED), Status.QUEUED])
def test_what_nobody_holds_never_lapses(status: Status) -> None:
    assert not attempts.is_lapsed(replace(job(status), lease_until=NOW), NOW, sole=OTHER)


ONCE = Terms(max_attempts=1)
TWICE = Terms(max_attempts=2, first_delay_s=10.0)
UNSAFE = Terms(retry_safe=False)
ENDINGS = [
    (running(), Said.SUCCEEDED, Status.SUCCEEDED, Cause.NONE),
    (running(), Said.REFUSED, Status.FAILED, Cause.FAULT),
    (running(ONCE), Said.FAILED, Status.FAILED, Cause.ATTEMPTS),
    (running(TWICE), Said.FAILED, Status.QUEUED, Cause.NONE),
    (running(TWICE, failures=1), Said.FAILED, Status.FAILED, Cause.ATTEMPTS),
    (running(replace(TWICE, deadline_s=1.0)), Said.FAILED, Status.FAILED, Cause.NO_TIME),
    (running(), Said.LOST, Status.QUEUED, Cause.NONE),
    (running(losses=MOST_LOSSES - 1), Said.LOST, Status.QUEUED, Cause.NONE),
    (running(losses=MOST_LOSSES), Said.LOST, Status.FAILED, Cause.LOST),
    (running(UNSAFE), Said.LOST, Status.FAILED, Cause.LOST),
    (running(), Said.STOPPED, Status.QUEUED, Cause.NONE),
    (running(UNSAFE), Said.STOPPED, Status.FAILED, Cause.LOST),
    (running(UNSAFE), Said.RETURNED, Status.QUEUED, Cause.NONE),
    (canceling(), Said.SUCCEEDED, Status.SUCCEEDED, Cause.NONE),
    (canceling(), Said.REFUSED, Status.FAILED, Cause.FAULT),
    (canceling(ONCE), Said.FAILED, Status.FAILED, Cause.ATTEMPTS),
    (canceling(TWICE), Said.FAILED, Status.CANCELED, Cause.ASKED),
    (canceling(), Said.LOST, Status.CANCELED, Cause.ASKED),
    (canceling(UNSAFE), Said.LOST, Status.CANCELED, Cause.ASKED),
    (canceling(losses=MOST_LOSSES), Said.LOST, Status.CANCELED, Cause.ASKED),
    (canceling(), Said.STOPPED, Status.CANCELED, Cause.ASKED),
    (canceling(UNSAFE), Said.STOPPED, Status.CANCELED, Cause.ASKED),
    (canceling(), Said.RETURNED, Status.CANCELED, Cause.ASKED),
]


@pytest.mark.parametrize(("held", "said", "status", "cause"), ENDINGS)
def test_what_a_worker_says_decides(held: Job, said: Said, status: Status, cause: Cause) -> None:
    after = attempts.finished(held, said, NOW, 0.5)
    assert (after.status, after.cause) == (status, cause)
    assert (after.owner, after.lease_until) == ("", inf)
    assert after.ended_at == (NOW if status in ENDED else inf)
    assert after.failures == held.failures + (said is Said.FAILED)
    assert after.losses == held.losses + (said is Said.LOST)


def test_a_job_taken_from_its_worker_is_lost() -> None:
    assert attempts.lost(running(), NOW, 0.5) == attempts.finished(running(), Said.LOST, NOW, 0.5)


def test_a_failure_waits_a_loss_does_not() -> None:
    failed = attempts.finished(running(TWICE), Said.FAILED, NOW, 0.5)
    assert failed.due == NOW + 10.0
    assert attempts.finished(running(TWICE), Said.LOST, NOW, 0.5).due == NOW
    assert attempts.finished(running(TWICE, losses=1), Said.LOST, NOW, 0.5).due == NOW + 0.5
    assert attempts.finished(running(TWICE), Said.RETURNED, NOW, 0.5).due == NOW


def test_what_is_given_back_for_a_shutdown_counts_for_nothing_however_often() -> None:
    held = running()
    for _ in range(5 * MOST_LOSSES):
        held = attempts.claimed(attempts.finished(held, Said.STOPPED, NOW, 0.5), ME, NOW)
    assert (held.status, held.failures, held.losses) == (Status.RUNNING, 0, 0)


@given(st.integers(1, 10_000), CHANCE, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_wait_after_a_failure_doubles_is_bounded_and_spread(
    failures: int, chance: float, first_s: float, longest_s: float
) -> None:
    terms = Terms(first_delay_s=first_s, longest_delay_s=longest_s)
    wait_s = attempts.delay_after_failure_s(failures, terms, chance)
    calm_s = min(longest_s, first_s * 2.0 ** (min(failures, 32) - 1))
    assert 0.75 * calm_s <= wait_s <= 1.25 * calm_s


def test_waits_are_spread_by_chance() -> None:
    drawn = {attempts.delay_after_failure_s(3, Terms(), chance / 10) for chance in range(10)}
    assert len(drawn) == 10


@given(st.integers(2, 10_000), CHANCE)
def test_a_wait_after_a_loss_is_bounded(losses: int, chance: float) -> None:
    assert attempts.delay_after_loss_s(1, chance) == 0.0
    wait_s = attempts.delay_after_loss_s(losses, chance)
    assert 0.375 <= wait_s <= 1.25 * LONGEST_AFTER_LOSS_S


@pytest.mark.parametrize("status", sorted(LIVE))
def test_live_is_what_can_still_end(status: Status) -> None:
    assert status not in ENDED
