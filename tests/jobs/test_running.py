"""Jobs on the deployments of a server: each ends once, as its work did."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from headrace.core.attempts import Said
from headrace.core.jobs import Cause, Status, Terms
from headrace.errors import StorageFull
from headrace.interfaces import Content, Hold
from headrace.jobs.answers import Later
from headrace.model.envelope import Head
from tests.jobs import models
from tests.jobs.running import body, ended, jobs_of, outcome, seen_when, serving, submitted
from tests.support.loops import on_a_loop

pytestmark = pytest.mark.timeout(60)
CANCELED_WITHIN_S = 0.5


@on_a_loop
async def test_jobs_run_beside_requests_and_answer_what_these_would(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Double) as service:
        jobs = [await submitted(service, "double", b"%d" % number) for number in range(100)]
        seen = await ended(service, *jobs)
        assert {each.job.status for each in seen} == {Status.SUCCEEDED}
        assert {each.job.attempt for each in seen} == {1}
        answers = [await body(service, job) for job in jobs]
        assert answers == [b"%d" % (2 * number) for number in range(100)]


@on_a_loop
async def test_without_jobs_there_is_no_file(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Double) as service:
        assert not list(tmp_path.iterdir())
        assert await jobs_of(service).store.counts() == {}
        await submitted(service, "double", b"1")
        assert (tmp_path / "jobs.sqlite3").exists()


@on_a_loop
async def test_running_work_is_really_stopped(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Spin, models.Rest) as service:
        for name in ("spin", "rest"):
            job = await submitted(service, name, b"60")
            await seen_when(service, job, lambda seen: seen.job.status is Status.RUNNING)
            await asyncio.sleep(0.1)  # so that a replica is at it
            began = time.monotonic()
            await jobs_of(service).store.cancel(None, job)
            (seen,) = await ended(service, job)
            assert time.monotonic() - began < CANCELED_WITHIN_S
            assert seen.job.status is Status.CANCELED
        next_one = await submitted(service, "spin", b"0.01")
        assert (await ended(service, next_one))[0].job.status is Status.SUCCEEDED


@on_a_loop
async def test_an_attempt_has_its_time_and_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Spin) as service:
        terms = Terms(timeout_s=0.2, max_attempts=2, first_delay_s=0.01)
        job = await submitted(service, "spin", b"60", terms)
        (seen,) = await ended(service, job)
        assert (seen.job.status, seen.job.cause, seen.job.failures) == (
            Status.FAILED,
            Cause.ATTEMPTS,
            2,
        )
        fault = (await outcome(service, job)).fault
        assert fault is not None
        assert fault.code == "deadline_exceeded"


@on_a_loop
async def test_what_waits_for_a_replica_loses_none_of_its_time(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Spin) as service:
        jobs = [await submitted(service, "spin", b"0.3", Terms(timeout_s=1.0)) for _ in range(5)]
        seen = await ended(service, *jobs)
        assert [(each.job.status, each.job.attempt) for each in seen] == [(Status.SUCCEEDED, 1)] * 5


@on_a_loop
async def test_a_deadline_ends_what_runs(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Spin) as service:
        job = await submitted(service, "spin", b"60", Terms(deadline_s=0.3))
        assert (await ended(service, job))[0].job.status is Status.EXPIRED
        next_one = await submitted(service, "spin", b"0.01")
        assert (await ended(service, next_one))[0].job.status is Status.SUCCEEDED


@on_a_loop
async def test_a_delayed_job_runs_at_its_time(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Double) as service:
        job = await submitted(service, "double", b"4", Terms(delay_s=0.5))
        (seen,) = await ended(service, job)
        assert seen.job.status is Status.SUCCEEDED
        assert 0.5 <= seen.job.started_at - seen.job.created_at < 5.0


@pytest.mark.parametrize(
    ("number", "status", "attempts"),
    [(0, Status.SUCCEEDED, 3), (404, Status.FAILED, 1), (503, Status.FAILED, 3)],
)
def test_what_fails_is_tried_again_where_that_may_help(
    tmp_path: Path, number: int, status: Status, attempts: int
) -> None:
    @on_a_loop
    async def run() -> None:
        async with serving(tmp_path, models.Fail) as service:
            job = await submitted(service, "fail", b"%d" % number, Terms(first_delay_s=0.01))
            (seen,) = await ended(service, job)
            assert (seen.job.status, seen.job.attempt) == (status, attempts)
            assert (await outcome(service, job)).status == (number or 200)

    run()


@on_a_loop
async def test_one_that_takes_its_process_along_fails_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Fall) as service:
        numbers = [11, 12, 13, 14]
        terms = Terms(max_attempts=1, first_delay_s=0.01)
        jobs = [await submitted(service, "fall", b"%d" % each, terms) for each in numbers]
        seen = await ended(service, *jobs)
        by_number = dict(zip(numbers, seen, strict=True))
        assert by_number[13].job.status is Status.FAILED
        assert by_number[13].job.failures == 1
        others = [each.job.status for number, each in by_number.items() if number != 13]
        assert others == [Status.SUCCEEDED] * 3


@on_a_loop
async def test_a_job_tells_how_far_it_is_from_any_thread(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Tell, models.Aloud) as service:
        for name in ("tell", "aloud"):
            job = await submitted(service, name, b"5000")
            (seen,) = await ended(service, job)
            assert json.loads(await body(service, job)) == job
            assert seen.progress is not None
            told = seen.progress
            assert (told.done, told.total, told.note) == (5001, 5001, "done")
            events = await jobs_of(service).store.events(None, job)
            words = [event for event in events if event.kind == "progress"]
            lasted_s = seen.job.ended_at - seen.job.started_at
            assert len(words) <= 3 + lasted_s / 0.09


@on_a_loop
async def test_items_are_events_and_the_whole_is_the_result(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Stream) as service:
        job = await submitted(service, "stream", b"100")
        await ended(service, job)
        found = await outcome(service, job)
        lines = [b'{"item":%d}\n' % item for item in range(100)]
        assert found.body == b"".join(lines)
        assert found.content_type == "application/x-ndjson"
        events = await jobs_of(service).store.events(None, job)
        items = [event.data for event in events if event.kind == "item"]
        assert items == [line.rstrip() for line in lines]


@on_a_loop
async def test_large_bodies_come_and_go(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Length) as service:
        receipt = await submitted(
            service, "length", b"x" * 3_000_000, head=Head("POST", "/length", b"", [], "")
        )
        await ended(service, receipt)
        assert await body(service, receipt) == b"3000000"


@on_a_loop
async def test_a_route_of_any_function_gets_its_request(tmp_path: Path) -> None:
    async with serving(tmp_path, models.page) as service:
        head = Head("PUT", "/page/a", b"b=c", [(b"x-color", b"red")], "127.0.0.1:1")
        job = await submitted(service, "page", b"", head=head)
        await ended(service, job)
        assert json.loads(await body(service, job)) == {
            "method": "PUT",
            "path": "/page/a",
            "query": "b=c",
            "color": "red",
            "id": "asked",
        }


@on_a_loop
async def test_a_job_loads_what_sleeps(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Lazy) as service:
        job = await submitted(service, "lazy", b"7")
        (seen,) = await ended(service, job)
        assert seen.job.status is Status.SUCCEEDED
        assert seen.job.failures == seen.job.losses == 0


@on_a_loop
async def test_a_stop_gives_back_what_cannot_end_and_the_next_server_runs_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, models.Spin) as service:
        jobs = [await submitted(service, "spin", b"3") for _ in range(3)]
        await seen_when(service, jobs[0], lambda seen: seen.job.status is Status.RUNNING)
    async with serving(tmp_path, models.Spin) as service:
        seen = await ended(service, *jobs)
        assert [each.job.status for each in seen] == [Status.SUCCEEDED] * 3
        assert [each.job.losses for each in seen] == [0, 0, 0]
        assert [each.job.failures for each in seen] == [0, 0, 0]


@on_a_loop
async def test_a_reload_runs_what_waits_with_the_new_code(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Spin, reload_timeout_s=5.0) as service:
        jobs = [await submitted(service, "spin", b"0.5") for _ in range(4)]
        await seen_when(service, jobs[0], lambda seen: seen.job.status is Status.RUNNING)
        await service.reload()
        seen = await ended(service, *jobs)
        assert [each.job.status for each in seen] == [Status.SUCCEEDED] * 4
        assert [each.job.losses + each.job.failures for each in seen] == [0] * 4


@on_a_loop
async def test_a_disk_that_is_full_loses_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, models.Double) as service:
        first = await submitted(service, "double", b"1")
        await ended(service, first)
        store = jobs_of(service).store._store  # type: ignore[attr-defined]
        finish, refusals = store.finish, iter(range(2))

        def full(hold: Hold, said: Said, output: Content | None = None) -> object:
            if next(refusals, None) is None:
                return finish(hold, said, output)
            answer: Later[object] = Later()
            answer.refused(StorageFull("the disk is full"))
            return answer

        monkeypatch.setattr(store, "finish", full)
        job = await submitted(service, "double", b"21")
        (seen,) = await ended(service, job)
        assert seen.job.status is Status.SUCCEEDED
        assert seen.job.attempt == 1
        assert await body(service, job) == b"42"
    assert caplog.text.count("jobs cannot be written down now") == 1


@on_a_loop
async def test_all_of_it_is_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, models.Double) as service:
        jobs = [await submitted(service, "double", b"1") for _ in range(3)]
        await ended(service, *jobs)
        lines = list(jobs_of(service).metrics())
        assert 'headrace_jobs_submitted_total{endpoint="/predict"} 3' in lines
        assert 'headrace_jobs_ended_total{endpoint="/predict",status="succeeded"} 3' in lines
        assert 'headrace_job_attempts_total{said="succeeded"} 3' in lines
        assert jobs_of(service).status()["queued"] == {"/predict": 0}
