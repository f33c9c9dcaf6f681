"""A job's life: what may follow what, what may be asked of it, how it is wanted again."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import jobs
from headrace.core.jobs import (
    ENDED,
    EVERYBODY,
    HELD,
    LIVE,
    NEXT,
    Cause,
    Job,
    JobId,
    JobNumber,
    Owner,
    Status,
    Step,
    Terms,
    UnixS,
    advance,
)
from headrace.errors import ImpossibleStep, Unprocessable, WrongStatus

NOW = UnixS(1_700_000_000.0)


def job(status: Status = Status.QUEUED, terms: Terms | None = None) -> Job:
    new = jobs.submitted(
        JobNumber(1),
        JobId("one"),
        tenant=EVERYBODY,
        endpoint="embed",
        terms=terms or Terms(),
        size_bytes=3,
        now=NOW,
    )
    held = status in HELD
    return replace(
        new,
        status=status,
        owner=Owner("me") if held else jobs.NOBODY,
        lease_until=UnixS(NOW + 30) if held else jobs.NEVER,
        attempt=0 if status is Status.QUEUED else 1,
        ended_at=NOW if status in ENDED else jobs.NEVER,
    )


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("status", Status)
def test_the_table_decides(status: Status, step: Step) -> None:
    if (status, step) in NEXT:
        assert advance(status, step) is NEXT[status, step]
    else:
        with pytest.raises(ImpossibleStep, match=f"{step.name} is not possible for a job that is"):
            advance(status, step)


def test_what_has_ended_moves_by_a_retry_only_and_what_succeeded_by_nothing() -> None:
    for (status, step), after in NEXT.items():
        if status in ENDED:
            assert after is status or step is Step.RETRY
    assert {after for (status, _), after in NEXT.items() if status is Status.SUCCEEDED} == {
        Status.SUCCEEDED
    }


def test_every_live_job_can_be_canceled_and_can_expire() -> None:
    for status in LIVE:
        assert (status, Step.CANCEL) in NEXT
        assert NEXT[status, Step.EXPIRE] in ENDED


def test_a_job_that_waits_is_canceled_at_once() -> None:
    after = jobs.canceled(job(), NOW)
    assert (after.status, after.cause, after.ended_at) == (Status.CANCELED, Cause.ASKED, NOW)


def test_a_job_that_runs_is_its_workers_until_it_says_how_it_ended() -> None:
    after = jobs.canceled(job(Status.RUNNING), NOW)
    assert (after.status, after.owner, after.ended_at) == (Status.CANCELING, "me", inf)


@pytest.mark.parametrize("status", Status)
def test_to_cancel_twice_is_to_cancel_once(status: Status) -> None:
    once = jobs.canceled(job(status), NOW)
    assert jobs.canceled(once, UnixS(NOW + 1)) is once


@pytest.mark.parametrize("status", sorted(ENDED))
def test_to_cancel_what_is_over_changes_nothing(status: Status) -> None:
    before = job(status)
    assert jobs.canceled(before, NOW) is before


@pytest.mark.parametrize("status", sorted(LIVE))
def test_after_its_deadline_a_job_is_nobodys(status: Status) -> None:
    after = jobs.expired(job(status), NOW)
    assert after.status is (Status.CANCELED if status is Status.CANCELING else Status.EXPIRED)
    assert (after.owner, after.lease_until, after.ended_at) == ("", inf, NOW)
    assert after.cause is (Cause.ASKED if status is Status.CANCELING else Cause.DEADLINE)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED, Status.EXPIRED])
def test_a_retry_begins_anew_and_keeps_the_count_of_attempts(status: Status) -> None:
    terms = Terms(deadline_s=60.0, delay_s=5.0)
    before = replace(job(status, terms), failures=3, losses=2, attempt=5, cause=Cause.ATTEMPTS)
    after = jobs.retried(before, UnixS(NOW + 1000))
    assert (after.status, after.cause) == (Status.QUEUED, Cause.NONE)
    assert (after.failures, after.losses, after.attempt, after.retries) == (0, 0, 5, 1)
    assert (after.due, after.deadline) == (NOW + 1000, NOW + 1060)
    assert after.ended_at == inf


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.QUEUED, "wait for its end"),
        (Status.RUNNING, "wait for its end"),
        (Status.CANCELING, "wait for its end"),
        (Status.SUCCEEDED, "its result stands"),
    ],
)
def test_what_cannot_be_retried_says_why(status: Status, words: str) -> None:
    with pytest.raises(WrongStatus, match=words):
        jobs.retried(job(status), NOW)


@pytest.mark.parametrize("status", Status)
def test_only_what_is_over_may_go(status: Status) -> None:
    if status in LIVE:
        with pytest.raises(WrongStatus, match="cancel it"):
            jobs.check_may_go(job(status))
    else:
        jobs.check_may_go(job(status))


def test_a_result_is_kept_from_the_end_on() -> None:
    assert jobs.keep_until(job(Status.RUNNING)) == inf
    kept = jobs.keep_until(job(Status.FAILED, Terms(retention_s=60.0)))
    assert kept == NOW + 60


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (Terms(priority=101), "priority"),
        (Terms(priority=-101), "priority"),
        (Terms(max_attempts=0), "max_attempts"),
        (Terms(max_attempts=1001), "max_attempts"),
        (Terms(deadline_s=0.0), "deadline_s"),
        (Terms(deadline_s=nan), "deadline_s"),
        (Terms(timeout_s=-1.0), "timeout_s"),
        (Terms(delay_s=-1.0), "delay_s"),
        (Terms(delay_s=inf), "delay_s"),
        (Terms(first_delay_s=nan), "first_delay_s"),
        (Terms(longest_delay_s=inf), "longest_delay_s"),
        (Terms(retention_s=inf), "retention_s"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused_by_name(terms: Terms, field: str) -> None:
    with pytest.raises(Unprocessable, match=field) as refused:
        jobs.check_terms(terms)
    assert refused.value.path == f"$.{field}"


@given(st.integers(-100, 100), st.floats(0, 1e9), st.floats(0.001, inf))
def test_a_new_job_is_due_and_ends_when_its_terms_say(
    priority: int, delay_s: float, deadline_s: float
) -> None:
    new = job(terms=Terms(priority=priority, delay_s=delay_s, deadline_s=deadline_s))
    assert (new.due, new.deadline) == (NOW + delay_s, NOW + deadline_s)
    assert new.place == (priority, new.due, 1)
