"""Whether a job is accepted, and when to come back if not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import submitting
from headrace.core.flow import Flow
from headrace.core.jobs import JobId, Status, UnixS
from headrace.core.submitting import LATEST_S, SOONEST_S, UNMEASURED_S, Bounds, Crowd
from headrace.errors import BadRequest, KeyReused, QueueFull
from tests.core.test_jobs import NOW, job

BOUNDS = Bounds(jobs=2, jobs_in_all=3, bytes_in_all=100, each={"large": 5})


def crowd(**waiting: int) -> Crowd:
    made = Crowd()
    for endpoint, number in waiting.items():
        for _ in range(number):
            made.moved(None, replace(job(), endpoint=endpoint), NOW)
    return made


def test_the_same_again_is_no_conflict_and_anything_else_is() -> None:
    known = job()
    submitting.check_same("embed", b"hash", known=known, known_fingerprint=b"hash")
    for endpoint, fingerprint in (("embed", b"other"), ("forest", b"hash")):
        with pytest.raises(KeyReused, match="job one was submitted with the same") as refused:
            submitting.check_same(endpoint, fingerprint, known=known, known_fingerprint=b"hash")
        assert refused.value.status == 422


def test_a_key_and_an_id_of_two_jobs_are_a_conflict() -> None:
    submitting.check_one([])
    submitting.check_one([job()])
    with pytest.raises(KeyReused, match="the id that of another"):
        submitting.check_one([job(), job()])


@pytest.mark.parametrize(
    ("waiting", "endpoint", "size_bytes", "words"),
    [
        ({}, "embed", 1, ""),
        ({}, "embed", 1000, ""),  # the only one
        ({"embed": 1}, "embed", 1, ""),
        ({"embed": 1}, "embed", 97, ""),
        ({"embed": 1}, "embed", 98, "3 bytes already wait in jobs"),
        ({"embed": 2}, "embed", 1, "2 jobs already wait for embed"),
        ({"embed": 2}, "forest", 1, ""),
        ({"embed": 2, "forest": 1}, "ocr", 1, "3 jobs already wait"),
        ({"large": 2}, "large", 1, ""),
    ],
)
def test_bounds_are_of_an_endpoint_and_of_all(
    waiting: dict[str, int], endpoint: str, size_bytes: int, words: str
) -> None:
    made = crowd(**waiting)
    if not words:
        submitting.check_room(made, BOUNDS, endpoint, size_bytes, NOW)
        return
    with pytest.raises(QueueFull, match=words) as refused:
        submitting.check_room(made, BOUNDS, endpoint, size_bytes, NOW)
    assert refused.value.retry_after_s == UNMEASURED_S


def test_when_to_come_back_is_measured() -> None:
    made = crowd(embed=100)
    one = replace(job(), endpoint="embed")
    gone = replace(one, status=Status.RUNNING)
    for second in range(80):
        made.moved(one, gone, UnixS(NOW + second))
        made.moved(None, one, UnixS(NOW + second))
    with pytest.raises(QueueFull) as refused:
        submitting.check_room(made, Bounds(jobs=100), "embed", 1, UnixS(NOW + 80))
    assert refused.value.retry_after_s == pytest.approx(10.0, rel=0.1)  # a tenth, at one a second


@given(st.integers(1, 10**6), st.floats(0.001, 1e5))
def test_when_to_come_back_is_sane(bound: int, rate: float) -> None:
    flow = Flow(window_s=60.0)
    flow.roll(NOW)
    flow.ended += int(rate * 30)
    assert SOONEST_S <= submitting.retry_after_s(flow, bound, NOW + 30) <= LATEST_S


@given(st.lists(st.tuples(st.sampled_from(Status), st.sampled_from(Status))))
def test_the_crowd_counts_those_who_wait(moves: list[tuple[Status, Status]]) -> None:
    made, waiting = Crowd(), 0
    for before, after in moves:
        made.moved(replace(job(), status=before), replace(job(), status=after), NOW)
        waiting += (after is Status.QUEUED) - (before is Status.QUEUED)
        assert (made.queued, made.queued_bytes) == (waiting, 3 * waiting)
        assert made.line("embed").queued == waiting


@pytest.mark.parametrize("name", ["a", "order-17", "2026.01.01~x_y", "a" * 128])
def test_a_client_may_name_its_job(name: str) -> None:
    submitting.check_id(JobId(name))


@pytest.mark.parametrize("name", ["", "a" * 129, "a/b", "a b", "-a", ".", "ä", "a\n"])
def test_a_name_that_no_path_can_carry_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="1 to 128"):
        submitting.check_id(JobId(name))


@pytest.mark.parametrize(("key", "fits"), [("k", True), ("", False), ("k" * 256, False)])
def test_a_key_has_a_bound(*, key: str, fits: bool) -> None:
    if fits:
        submitting.check_key(key)
    else:
        with pytest.raises(BadRequest, match="1 to 255"):
            submitting.check_key(key)
