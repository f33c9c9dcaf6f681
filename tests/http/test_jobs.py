"""Any route answers later if its client prefers that, and the job's pages tell the truth of it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import validate

import headrace as hr
from headrace.core.attempts import Said
from headrace.core.jobs import Status, Terms
from headrace.core.submitting import Bounds
from headrace.errors import BadRequest, StorageFull, Unprocessable
from headrace.http.jobs_prefer import Preferences, preferences
from headrace.http.jobs_terms import key_of, terms_of
from headrace.jobs.orders import failure
from headrace.jobs.sqlite import Options
from tests.http.asking import RawClient, Typed, ready, until
from tests.http.jobs_desk import LATER, Desk, endpoint, office
from tests.jobs.stores import Clock
from tests.support.loops import on_a_loop


def fields(response: httpx2.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


# --- headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        (["respond-async"], Preferences(is_async=True)),
        (["Respond-Async"], Preferences(is_async=True)),
        (["respond-async, wait=5"], Preferences(is_async=True, wait_s=5.0, has_wait=True)),
        (["wait=5", "respond-async"], Preferences(is_async=True, wait_s=5.0, has_wait=True)),
        (['respond-async ; x=1, wait="7"'], Preferences(is_async=True, wait_s=7.0, has_wait=True)),
        (["wait=5, wait=9"], Preferences(wait_s=5.0, has_wait=True)),
        (["wait=900"], Preferences(wait_s=60.0, has_wait=True)),
        (["respond-async, wait=0"], Preferences(is_async=True, has_wait=True)),
        (["respond-async, wait=soon"], Preferences(is_async=True)),
        (["respond-async, wait=-1"], Preferences(is_async=True)),
        (["respond-async, wait=1e9"], Preferences(is_async=True)),
        (['foo="a, respond-async"'], Preferences()),
        (["return=minimal"], Preferences()),
        (["respond-asyncs", ",;=,,", ""], Preferences()),
    ],
)
def test_what_a_client_prefers_is_read_as_the_rfc_says(lines: list[str], meant: Any) -> None:
    assert preferences([(b"prefer", line.encode()) for line in lines]) == meant


@pytest.mark.parametrize(
    ("header", "value", "name", "meant"),
    [
        ("X-Headrace-Priority", "-5", "priority", -5),
        ("X-Headrace-Delay-Seconds", "2.5", "delay_s", 2.5),
        ("X-Headrace-Deadline-Seconds", "60", "deadline_s", 60.0),
        ("X-Request-Timeout-Seconds", "30", "deadline_s", 30.0),
        ("X-Headrace-Max-Attempts", "7", "max_attempts", 7),
        ("X-Headrace-Attempt-Timeout-Seconds", "9", "timeout_s", 9.0),
        ("X-Headrace-Attempt-Timeout-Seconds", "999", "timeout_s", 100.0),
        ("X-Headrace-Retention-Seconds", "5", "retention_s", 5.0),
        ("X-Headrace-Retention-Seconds", "99999999", "retention_s", 86_400.0),
    ],
)
def test_a_header_sets_a_term_and_no_further_than_allowed(
    header: str, value: str, name: str, meant: float
) -> None:
    found = terms_of({header.lower().encode(): value.encode()}, Terms(timeout_s=100.0))
    assert getattr(found, name) == meant


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Headrace-Priority", "101"),
        ("X-Headrace-Priority", "1.5"),
        ("X-Headrace-Priority", "high"),
        ("X-Headrace-Delay-Seconds", "-1"),
        ("X-Headrace-Delay-Seconds", "inf"),
        ("X-Headrace-Delay-Seconds", "nan"),
        ("X-Headrace-Max-Attempts", "0"),
        ("X-Headrace-Max-Attempts", "101"),
        ("X-Headrace-Deadline-Seconds", "0"),
        ("X-Request-Timeout-Seconds", "0"),
    ],
)
def test_a_term_that_cannot_be_is_named(header: str, value: str) -> None:
    with pytest.raises(BadRequest, match=header):
        terms_of({header.lower().encode(): value.encode()}, Terms())


@pytest.mark.parametrize(
    ("given", "meant"),
    [(b'"abc"', "abc"), (b"abc", "abc"), (b' "a\\"b" ', 'a"b'), (b'"', '"'), (b'""', "")],
)
def test_a_key_is_the_same_with_and_without_its_quotes(given: bytes, meant: str) -> None:
    assert key_of({b"idempotency-key": given}) == meant


# --- submitting --------------------------------------------------------------------------------


@on_a_loop
async def test_an_answer_that_is_wanted_later_is_a_job(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        response = await there.submit()
        told = fields(response, 202)
        assert response.headers["location"] == f"/jobs/{told['id']}" == told["urls"]["self"]
        assert response.headers["preference-applied"] == "respond-async"
        assert response.headers["retry-after"] == "1"
        assert response.headers["x-headrace-job"] == told["id"]
        assert (told["status"], told["endpoint"], told["attempt"]) == ("queued", "/typed", 0)
        claim = await there.desk.claim()
        order = await there.desk.order(claim)
        assert (order.body, order.content_type) == (b'{"name":"a"}', "application/json")
        assert order.head is None
        shown = fields(await there.client.get(told["urls"]["self"]))
        assert (shown["status"], shown["attempt"]) == ("running", 1)
        await there.desk.answer(claim, {"is": 1}, status=201, headers=[("X-Made", "so")])
        result = await there.client.get(told["urls"]["result"])
        assert fields(result, 201) == {"is": 1}
        assert result.headers["x-made"] == "so"
        assert result.headers["content-type"] == "application/json"
        shown = fields(await there.client.get(told["urls"]["self"]))
        assert (shown["status"], shown["error"]) == ("succeeded", None)
        assert shown["created_at"] <= shown["started_at"] <= shown["ended_at"]
        assert shown["kept_until"] == shown["ended_at"] + 86_400


@on_a_loop
async def test_who_prefers_nothing_is_answered_at_once(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        for headers in ({}, {"Prefer": "wait=5"}, {"Prefer": "return=minimal"}):
            response = await there.client.post("/typed", json={"name": "a"}, headers=headers)
            assert fields(response) == "a"
        assert fields(await there.client.get("/jobs"))["jobs"] == []


@on_a_loop
async def test_where_there_are_no_jobs_the_preference_is_no_demand() -> None:
    async with ready(Typed, jobs=False) as (_, client):
        response = await client.post("/typed", json={"name": "a"}, headers=LATER)
        assert fields(response) == "a"
        assert "preference-applied" not in response.headers
        assert (await client.get("/jobs")).status_code == 404


@on_a_loop
async def test_who_waits_has_the_answer_if_it_is_there_in_time(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        headers = {"Prefer": "respond-async, wait=10"}
        asking = asyncio.create_task(there.submit(headers=headers))
        await until(lambda: there.desk.kept._books.crowd.queued, "the job")
        await there.desk.run_next({"is": 2})
        response = await asking
        assert fields(response) == {"is": 2}
        assert response.headers["preference-applied"] == "wait=10"
        job = response.headers["x-headrace-job"]
        assert response.headers["content-location"] == f"/jobs/{job}/result"


@on_a_loop
async def test_who_waits_in_vain_is_told_where_to_ask(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        response = await there.submit(headers={"Prefer": "respond-async, wait=0.05"})
        assert fields(response, 202)["status"] == "queued"
        assert response.headers["preference-applied"] == "respond-async"


@on_a_loop
async def test_who_leaves_while_it_waits_has_its_job_all_the_same(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        headers = {"Prefer": "respond-async, wait=50"}
        client = RawClient(there.service, "/typed", b'{"name":"a"}', headers)
        await until(lambda: there.doors._watch._waiting, "somebody who waits")
        client.leave()
        async with asyncio.timeout(5):
            await client.task
        assert client.sent == []
        assert there.doors._watch._waiting == {}
        text = (await there.client.get("/-/metrics")).text
        assert 'headrace_requests_total{deployment="typed",status="499"} 1' in text
        await there.desk.run_next()
        assert len(fields(await there.client.get("/jobs?status=succeeded"))["jobs"]) == 1


@on_a_loop
async def test_who_leaves_in_the_middle_of_a_body_submits_nothing(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        client = RawClient(there.service, "/typed", b"{", LATER, more=True)
        await until(lambda: there.doors._submitting._bodies.size_bytes, "the first of it")
        client.leave()
        async with asyncio.timeout(5):
            await client.task
        assert client.sent == []
        assert there.doors._submitting._bodies.size_bytes == 0
        assert fields(await there.client.get("/jobs"))["jobs"] == []


@on_a_loop
async def test_the_same_key_is_the_same_job_even_after_its_end(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        key = {"Idempotency-Key": '"k-1"'}
        first = fields(await there.submit(headers=key), 202)
        again = await there.submit(headers={"Idempotency-Key": "k-1"})
        assert fields(again, 202)["id"] == first["id"]
        assert again.headers["idempotent-replayed"] == "true"
        await there.desk.run_next("done")
        later = fields(await there.submit(headers=key), 202)
        assert (later["id"], later["status"]) == (first["id"], "succeeded")
        waited = await there.submit(headers={**key, "Prefer": "respond-async, wait=1"})
        assert fields(waited) == "done"
        other = await there.submit(body={"name": "b"}, headers=key)
        assert fields(other, 422)["code"] == "idempotency_key_reused"
        assert len(fields(await there.client.get("/jobs"))["jobs"]) == 1


@on_a_loop
async def test_a_client_may_name_its_job(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        put = "/jobs/report-7?endpoint=/typed"
        first = await there.client.put(put, json={"name": "a"})
        assert fields(first, 202)["id"] == "report-7"
        assert first.headers["location"] == "/jobs/report-7"
        assert fields(await there.client.put(put, json={"name": "a"}), 202)["id"] == "report-7"
        assert fields(await there.client.put(put, json={"name": "b"}), 422)["status"] == 422
        claim = await there.desk.claim()
        assert (await there.desk.order(claim)).body == b'{"name":"a"}'
        await there.desk.answer(claim)
        waited = await there.client.put(put, json={"name": "a"}, headers={"Prefer": "wait=1"})
        assert fields(waited) == "done"
        bad = await there.client.put("/jobs/-x?endpoint=/typed", json=1)
        assert fields(bad, 400)["code"] == "bad_request"


@pytest.mark.parametrize("target", ["", "/nothing", "job:tasks.core", "typed"])
@on_a_loop
async def test_a_job_that_nobody_runs_is_refused_with_the_routes(
    target: str, tmp_path: Path
) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.client.post("/jobs", params={"endpoint": target}, json=1), 400)
        assert "/typed" in told["detail"] or "code" in told["detail"]


@on_a_loop
async def test_terms_come_from_headers_and_go_no_further(tmp_path: Path) -> None:
    ingress = endpoint("/app", kind="ingress")
    async with office(tmp_path, Typed, endpoints=[endpoint("/typed"), ingress]) as there:
        headers = {
            "X-Headrace-Priority": "3",
            "X-Headrace-Delay-Seconds": "90",
            "X-Headrace-Max-Attempts": "1",
            "X-Mine": "stays",
            "Idempotency-Key": "k",
        }
        response = await there.client.post(
            "/jobs?endpoint=/app/page%3Fa=1&method=delete", content=b"x", headers=headers
        )
        told = fields(response, 202)
        assert (told["priority"], told["max_attempts"], told["endpoint"]) == (3, 1, "/app")
        assert told["due_at"] - told["created_at"] == 90
        assert 80 <= int(response.headers["retry-after"]) <= 90
        seen = await there.desk.store.show(None, told["id"])
        head = (await there.desk.order(await _now(there.desk, seen))).head
        assert head is not None
        assert (head.method, head.path, head.query) == ("DELETE", "/app/page", b"a=1")
        assert head.root_path == "/app"
        names = {name.decode() for name, _ in head.headers}
        assert "x-mine" in names
        assert "x-request-id" in names
        assert not names & {"x-headrace-priority", "idempotency-key", "prefer", "content-length"}


@on_a_loop
async def test_a_method_that_is_none_is_refused(tmp_path: Path) -> None:
    async with office(tmp_path, Typed, endpoints=[endpoint("/app", kind="ingress")]) as there:
        for method in ("", "A B", "GET\r\n", "É"):
            asked = {"endpoint": "/app", "method": method}
            refused = await there.client.post("/jobs", params=asked, json=1)
            assert fields(refused, 400)["code"] == "bad_request"


@on_a_loop
async def test_jobs_are_taken_while_code_is_debugged(tmp_path: Path) -> None:
    async with office(tmp_path, Typed, debug=True) as there:
        fields(await there.submit(headers={"X-Request-Timeout-Seconds": "60"}), 202)


async def _now(desk: Desk, seen: Any) -> Any:
    """Claim a job that waits for its time, by a retry that does not wait."""
    await desk.store.cancel(None, seen.job.id)
    await desk.store.retry(None, seen.job.id)
    return await desk.claim()


@on_a_loop
async def test_a_body_over_the_limit_and_a_wrong_method_are_refused(tmp_path: Path) -> None:
    small = endpoint("/typed", max_body_bytes=10)
    async with office(tmp_path, Typed, endpoints=[small]) as there:
        assert fields(await there.submit(body="x" * 20), 413)["code"] == "too_large"

        async def parts() -> Any:
            yield b"x" * 8
            yield b"x" * 8

        streamed = await there.client.post("/typed", content=parts(), headers=LATER)
        assert fields(streamed, 413)["code"] == "too_large"
        got = await there.client.get("/typed", headers=LATER)
        assert fields(got, 405)["code"] == "method_not_allowed"
        assert got.headers["allow"] == "POST"
        assert there.doors._submitting._bodies.size_bytes == 0


@on_a_loop
async def test_a_full_line_says_when_to_come_back(tmp_path: Path) -> None:
    async with office(tmp_path, Typed, options=Options(Bounds(jobs=1))) as there:
        fields(await there.submit(), 202)
        refused = await there.submit(body={"name": "b"})
        assert fields(refused, 503)["code"] == "queue_full"
        assert int(refused.headers["retry-after"]) >= 1


@on_a_loop
async def test_a_full_disk_is_a_507_that_says_when_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any, **__: Any) -> Any:
        raise StorageFull("no space is left for jobs", retry_after_s=30)

    async with office(tmp_path, Typed) as there:
        monkeypatch.setattr(there.desk, "submit", full)
        refused = await there.submit()
        assert fields(refused, 507)["code"] == "storage_full"
        assert refused.headers["retry-after"] == "30"


@on_a_loop
async def test_what_the_validation_refuses_is_no_job(tmp_path: Path) -> None:
    async def never(order: Any) -> None:
        raise Unprocessable("Expected `str`, got `int`", path="$.name")

    strict = endpoint("/typed", validate=never)
    async with office(tmp_path, Typed, endpoints=[strict]) as there:
        told = fields(await there.submit(), 422)
        assert (told["code"], told["path"]) == ("validation_error", "$.name")
        assert fields(await there.client.get("/jobs"))["jobs"] == []


# --- results -----------------------------------------------------------------------------------


@on_a_loop
async def test_a_result_is_202_while_it_is_made(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        response = await there.client.get(told["urls"]["result"])
        assert fields(response, 202)["status"] == "queued"
        assert response.headers["location"] == told["urls"]["self"]
        assert response.headers["retry-after"] == "1"
        assert fields(await there.client.get("/jobs/unknown/result"), 404)["code"] == "no_such_job"


@on_a_loop
async def test_a_failed_job_answers_with_its_problem(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(headers={"X-Request-Id": "mine"}), 202)
        claim = await there.desk.claim()
        error = failure(Unprocessable("Expected `str`", path="$.name"), "mine")
        how = {"status": 422, "fault": error.fault, "label": error.label, "body": b""}
        await there.desk.answer(claim, said=Said.REFUSED, **how)
        result = fields(await there.client.get(told["urls"]["result"]), 422)
        assert (result["code"], result["path"]) == ("validation_error", "$.name")
        assert result["request_id"] == "mine"
        shown = fields(await there.client.get(told["urls"]["self"]))
        assert (shown["status"], shown["cause"]) == ("failed", "fault")
        assert shown["error"]["code"] == "validation_error"


@on_a_loop
async def test_a_job_between_two_attempts_tells_what_the_last_one_met(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        claim = await there.desk.claim()
        fault = failure(BadRequest("no luck")).fault
        await there.desk.answer(claim, said=Said.FAILED, status=400, fault=fault, body=b"")
        shown = fields(await there.client.get(told["urls"]["self"]))
        assert (shown["status"], shown["failures"]) == ("queued", 1)
        assert shown["error"]["detail"] == "no luck"
        assert shown["due_at"] > shown["created_at"]


@on_a_loop
async def test_a_progress_without_an_end_is_told_in_numbers(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        await there.desk.tell(await there.desk.claim(), 5, float("inf"), "on and on")
        shown = fields(await there.client.get(told["urls"]["self"]))
        assert shown["progress"] == {"done": 5.0, "total": 0.0, "note": "on and on"}


@on_a_loop
async def test_a_canceled_job_has_no_result(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        for _ in range(2):
            assert fields(await there.client.post(told["urls"]["cancel"]))["status"] == "canceled"
        assert fields(await there.client.get(told["urls"]["result"]), 409)["code"] == "job_canceled"
        again = await there.client.post(told["urls"]["retry"])
        assert fields(again, 202)["status"] == "queued"
        await there.desk.run_next("after all")
        assert fields(await there.client.get(told["urls"]["result"])) == "after all"
        assert fields(await there.client.post(told["urls"]["retry"]), 409)["code"] == "wrong_status"
        assert fields(await there.client.post(told["urls"]["cancel"]))["status"] == "succeeded"


@on_a_loop
async def test_a_running_job_is_asked_to_stop(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        claim = await there.desk.claim()
        response = await there.client.post(told["urls"]["cancel"])
        assert fields(response, 202)["status"] == "canceling"
        assert fields(await there.client.delete(told["urls"]["self"]), 409)["status"] == 409
        await there.desk.store.finish(claim.hold, Said.STOPPED)
        assert fields(await there.client.get(told["urls"]["self"]))["status"] == "canceled"
        assert (await there.client.delete(told["urls"]["self"])).status_code == 204
        assert (await there.client.get(told["urls"]["self"])).status_code == 404


@on_a_loop
async def test_a_result_whose_time_is_over_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    async with office(tmp_path, Typed, options=Options(clock=clock)) as there:
        told = fields(await there.submit(headers={"X-Headrace-Retention-Seconds": "5"}), 202)
        await there.desk.run_next()
        fields(await there.client.get(told["urls"]["result"]))
        clock.move(6)
        await there.desk.store.sweep()
        assert fields(await there.client.get(told["urls"]["result"]), 410)["code"] == "result_gone"
        assert fields(await there.client.get(told["urls"]["self"]))["is_gone"] is True


@on_a_loop
async def test_a_job_past_its_deadline_says_so(tmp_path: Path) -> None:
    clock = Clock()
    async with office(tmp_path, Typed, options=Options(clock=clock)) as there:
        told = fields(await there.submit(headers={"X-Headrace-Deadline-Seconds": "5"}), 202)
        clock.move(6)
        await there.desk.store.sweep()
        result = fields(await there.client.get(told["urls"]["result"]), 504)
        assert result["code"] == "deadline_exceeded"


@on_a_loop
async def test_a_large_result_comes_as_it_was(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        claim = await there.desk.claim()
        large = b"\x00\xff" * 100_000
        await there.desk.answer(claim, body=large, content_type="application/x-made")
        result = await there.client.get(told["urls"]["result"])
        assert result.content == large
        assert result.headers["content-type"] == "application/x-made"
        assert result.headers["content-length"] == str(len(large))


@on_a_loop
async def test_who_asks_with_a_wait_hears_of_the_end_at_once(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        asking = asyncio.create_task(there.client.get(told["urls"]["self"] + "?wait=10"))
        await until(lambda: there.doors._watch._waiting, "somebody who waits")
        await there.desk.run_next()
        assert fields(await asking)["status"] == "succeeded"
        assert there.doors._watch._waiting == {}
        assert there.doors._watch._stop_listening is None
        soon = await there.client.get("/jobs/unknown?wait=10")
        assert soon.status_code == 404
        assert fields(await there.client.get(told["urls"]["self"] + "?wait=x"), 400)


@on_a_loop
async def test_nobody_waits_for_a_server_that_stops(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        told = fields(await there.submit(), 202)
        asking = asyncio.create_task(there.client.get(told["urls"]["self"] + "?wait=50"))
        await until(lambda: there.doors._watch._waiting, "somebody who waits")
        there.doors.let_go()
        assert fields(await asking)["status"] == "queued"


# --- lists and pages ---------------------------------------------------------------------------


@on_a_loop
async def test_a_list_is_read_page_by_page(tmp_path: Path) -> None:
    two = [endpoint("/typed"), endpoint("/app", kind="ingress")]
    async with office(tmp_path, Typed, endpoints=two) as there:
        for name in "abcde":
            fields(await there.submit(body={"name": name}), 202)
        fields(await there.client.post("/jobs?endpoint=/app", json=1), 202)
        await there.desk.run_next()
        seen: list[str] = []
        url = "/jobs?endpoint=/typed&limit=2"
        while url:
            response = await there.client.get(url)
            page = fields(response)
            seen += [job["id"] for job in page["jobs"]]
            assert ("link" in response.headers) is (page["cursor"] is not None)
            url = response.links["next"]["url"] if page["cursor"] else ""
        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen, reverse=True)
        done = fields(await there.client.get("/jobs?status=succeeded"))["jobs"]
        assert [job["status"] for job in done] == ["succeeded"]


@pytest.mark.parametrize(
    "query", ["status=lost", "limit=0", "limit=1001", "limit=x", "cursor=abc", "limit=%D9%A1"]
)
@on_a_loop
async def test_a_list_that_makes_no_sense_is_refused(query: str, tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        assert fields(await there.client.get(f"/jobs?{query}"), 400)["code"] == "bad_request"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/jobs/x/nothing", 404, None),
        ("DELETE", "/jobs", 405, "GET, HEAD, POST"),
        ("POST", "/jobs/x", 405, "GET, HEAD, PUT, DELETE"),
        ("GET", "/jobs/x/cancel", 405, "POST"),
        ("HEAD", "/jobs/x/events", 405, "GET"),
        ("GET", "/jobsx", 404, None),
        ("HEAD", "/jobs", 200, None),
    ],
)
@on_a_loop
async def test_every_page_has_its_methods(
    method: str, path: str, status: int, allow: str | None, tmp_path: Path
) -> None:
    async with office(tmp_path, Typed) as there:
        for at in (path, f"/-{path}"):
            response = await there.client.request(method, at)
            assert response.status_code == status
            assert response.headers.get("allow") == allow


@on_a_loop
async def test_the_pages_are_where_the_setting_says(tmp_path: Path) -> None:
    async with office(tmp_path, Typed, jobs_path="/later/on") as there:
        told = fields(await there.submit(), 202)
        assert told["urls"]["self"] == f"/later/on/{told['id']}"
        assert (await there.client.get(told["urls"]["self"])).status_code == 200
        ours = fields(await there.client.get(f"/-/jobs/{told['id']}"))
        assert ours["urls"]["self"] == f"/-/jobs/{told['id']}"
        assert (await there.client.get("/jobs")).status_code == 404


@pytest.mark.parametrize("route", ["/jobs", "/jobs/of"])
@on_a_loop
async def test_a_model_may_have_the_path_and_that_is_said(
    route: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @hr.deployment(executor="inline", route=route)
    class Owner(hr.Model):
        def predict(self, name: str) -> str:
            return f"mine: {name}"

    async with office(tmp_path, Owner, endpoints=[endpoint(route)]) as there:
        assert f"{route} is a route of this server, so jobs are at /-/jobs alone" in caplog.text
        assert fields(await there.client.post(route, json="a")) == "mine: a"
        told = fields(await there.submit(route, "a"), 202)
        assert told["urls"]["self"] == f"/-/jobs/{told['id']}"


@pytest.mark.parametrize(("path", "base"), [("/jobs", "/-/jobs"), ("/later", "/later")])
@on_a_loop
async def test_an_application_at_the_root_has_every_path_that_nobody_named(
    path: str, base: str, tmp_path: Path
) -> None:
    @hr.deployment(executor="inline", route="/")
    class Shop:
        async def __call__(self, request: hr.Request) -> str:
            return f"the shop's {request.url.path}"

    at_root = [endpoint("/", kind="plain")]
    async with office(tmp_path, Shop, endpoints=at_root, jobs_path=path) as there:
        assert "the shop's /jobs/x" in (await there.client.get("/jobs/x")).text
        told = fields(await there.submit("/a/b?c=d"), 202)
        assert told["urls"]["self"] == f"{base}/{told['id']}"
        assert fields(await there.client.get(told["urls"]["self"]))["endpoint"] == "/"
        head = (await there.desk.order(await there.desk.claim())).head
        assert head is not None
        assert (head.path, head.query, head.root_path) == ("/a/b", b"c=d", "")


@on_a_loop
async def test_links_lead_through_the_proxy_that_strips_a_path(tmp_path: Path) -> None:
    async with office(tmp_path, Typed, root_path="/api") as there:
        told = fields(await there.submit(), 202)
        assert told["urls"]["self"] == f"/api/jobs/{told['id']}"
        assert fields(await there.client.get(f"/jobs/{told['id']}"))["urls"] == told["urls"]


@on_a_loop
async def test_submissions_are_counted_with_their_route(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        fields(await there.submit(), 202)
        text = (await there.client.get("/-/metrics")).text
        assert 'headrace_requests_total{deployment="typed",status="202"} 1' in text


@on_a_loop
async def test_a_job_names_its_status_with_the_words_of_the_core(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        for status in Status:
            assert fields(await there.client.get(f"/jobs?status={status}"))["jobs"] == []


@on_a_loop
async def test_the_document_tells_of_jobs_where_there_are_some(tmp_path: Path) -> None:
    async with office(tmp_path, Typed, jobs_path="/later") as there:
        told = fields(await there.client.get("/-/openapi.json"))
        validate(told)
        pages = {path for path in told["paths"] if path.startswith("/later")}
        below = {"", "/{job}", "/{job}/result", "/{job}/events", "/{job}/cancel", "/{job}/retry"}
        assert pages == {f"/later{page}" for page in below}
        model = told["paths"]["/typed"]["post"]
        assert "202" in model["responses"]
        assert {"$ref": "#/components/parameters/Prefer"} in model["parameters"]
        for place in re.findall(r"'\$ref': '#/([^']+)'", str(told)):
            at = told
            for step in place.split("/"):
                at = at[step]
        shown = fields(await there.submit(), 202)
        assert shown.keys() == told["components"]["schemas"]["Job"]["properties"].keys()
    async with ready(Typed, jobs=False) as (_, client):
        assert "Prefer" not in str(fields(await client.get("/-/openapi.json")))
