"""Every way a request can end, with its status and its problem document."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.http.asking import (
    Gated,
    Loading,
    Raising,
    RawClient,
    Typed,
    client_of,
    gates,
    opened,
    queued,
    ready,
    until,
)

JSON = {"content-type": "application/json"}
SOON = {"X-Request-Timeout-Seconds": "0.05"}


def judge(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check what every problem document has; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


BAD = [
    ("POST", "/typed", b"{", JSON, 400, "bad_request"),
    ("POST", "/typed", b"", JSON, 400, "bad_request"),
    ("POST", "/typed", b'"' + b"x" * 100 + b'"', JSON, 413, "too_large"),
    ("POST", "/typed", b"x", {"content-type": "image/png"}, 415, "unsupported_media_type"),
    ("POST", "/typed", b'{"name": 1}', JSON, 422, "validation_error"),
    ("GET", "/typed", b"", {}, 405, "method_not_allowed"),
    ("PUT", "/-/health", b"", {}, 405, "method_not_allowed"),
    ("POST", "/elsewhere", b"", {}, 404, "not_found"),
    ("POST", "/typed/", b"", {}, 404, "not_found"),
    ("POST", "/raising", b'"error"', JSON, 500, "hook_failed"),
    ("POST", "/raising", b'"late"', JSON, 504, "deadline_exceeded"),
    ("POST", "/raising", b'"teapot"', JSON, 418, "http_error"),
]


@pytest.mark.parametrize(("method", "path", "content", "headers", "status", "code"), BAD)
def test_each_ending_is_a_problem(
    method: str, path: str, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    async def main() -> None:
        async with ready(Typed, Raising) as (_, client):
            answer = await client.request(method, path, content=content, headers=headers)
            judge(answer, status, code)
            assert "Traceback" not in answer.text
            assert "secret" not in answer.text

    asyncio.run(main())


def test_problems_name_what_helps() -> None:
    async def main() -> None:
        async with ready(Typed, Raising) as (_, client):
            wrong_type = await client.post("/typed", json={"name": "a", "times": "x"})
            assert judge(wrong_type, 422, "validation_error")["path"] == "$.times"
            wrong_method = await client.get("/typed")
            assert wrong_method.headers["allow"] == "POST"
            nowhere = await client.post("/x", json=1)
            assert "/typed" in judge(nowhere, 404, "not_found")["detail"]
            teapot = await client.post("/raising", json="teapot")
            assert judge(teapot, 418, "http_error")["detail"].endswith("short and stout")
            assert teapot.headers["x-tea"] == "green"

    asyncio.run(main())


def test_an_answer_has_the_status_and_headers_that_the_model_set() -> None:
    async def main() -> None:
        async with ready(Typed, Raising) as (_, client):
            answer = await client.post("/raising", json="well")
            assert (answer.status_code, answer.json()) == (201, {"how": "well"})
            assert answer.headers["x-made"] == "well"
            plain = await client.post("/typed", json={"name": "ab", "times": 2})
            assert (plain.status_code, plain.json()) == (200, "abab")
            assert plain.headers["content-type"] == "application/json"

    asyncio.run(main())


def test_a_body_is_counted_where_no_length_is_declared() -> None:
    async def chunks() -> Any:
        for _ in range(30):
            yield b"xxxxx"

    async def main() -> None:
        async with ready(Typed) as (_, client):
            judge(await client.post("/typed", content=chunks()), 413, "too_large")

    asyncio.run(main())


def test_a_body_that_declares_too_much_is_not_read() -> None:
    async def main() -> None:
        async with ready(Typed) as (service, _):
            raw = RawClient(service, "/typed", b"", {"content-length": "101"})
            raw._coming.get_nowait()
            await asyncio.wait_for(raw.task, 1)
            assert raw.sent[0]["status"] == 413

    asyncio.run(main())


@pytest.mark.parametrize("given", ["soon", "-1", "0", "nan"])
def test_a_timeout_that_is_no_time_is_told(given: str) -> None:
    async def main() -> None:
        async with ready(Typed) as (_, client):
            headers = {"X-Request-Timeout-Seconds": given}
            answer = await client.post("/typed", json={"name": "a"}, headers=headers)
            assert "X-Request-Timeout-Seconds" in judge(answer, 400, "bad_request")["detail"]

    asyncio.run(main())


def test_the_smaller_deadline_counts_from_arrival() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, client):
            blocker = asyncio.create_task(client.post("/gated", json="a"))
            await until(lambda: gates["a"].held, "the first to run")
            late = await client.post(
                "/gated", json="b", headers={"X-Request-Timeout-Seconds": "0.05"}
            )
            judge(late, 504, "deadline_exceeded")
            assert queued(service, "gated") == 0
            assert not gates["b"].held
            gates["a"].open()
            assert (await blocker).json() == "a"

    asyncio.run(main())


def test_a_running_request_that_is_late_is_cancelled() -> None:
    async def main() -> None:
        async with ready(Gated) as (_, client):
            late = await client.post(
                "/gated", json="a", headers={"X-Request-Timeout-Seconds": "0.05"}
            )
            judge(late, 504, "deadline_exceeded")
            await until(lambda: gates["a"].cancelled, "its work to be cancelled")
            gates["b"].open()
            assert (await client.post("/gated", json="b")).status_code == 200

    asyncio.run(main())


def test_a_full_queue_says_when_to_come_back() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, client):
            asked = [asyncio.create_task(client.post("/gated", json="a"))]
            await until(lambda: gates["a"].held, "the first to run")
            asked += [asyncio.create_task(client.post("/gated", json="a")) for _ in range(2)]
            await until(lambda: queued(service, "gated") == 2, "the queue to be full")
            refused = await client.post("/gated", json="a")
            problem = judge(refused, 503, "queue_full")
            assert 0 < problem["retry_after_s"] <= 60
            assert int(refused.headers["retry-after"]) >= problem["retry_after_s"]
            gates["a"].open()
            assert [(await each).status_code for each in asked] == [200] * 3

    asyncio.run(main())


def test_a_loading_deployment_refuses_and_says_so() -> None:
    async def main() -> None:
        async with opened(Loading, Typed) as service, client_of(service) as client:
            await until(lambda: gates["setup"].held, "the setup to begin")
            refused = await client.post("/loading", json=1)
            judge(refused, 503, "loading")
            assert int(refused.headers["retry-after"]) >= 1
            assert (await client.post("/typed", json={"name": "a"})).status_code == 200
            gates["setup"].open()
            await asyncio.wait_for(service.ready, 5)
            assert (await client.post("/loading", json=1)).json() == 1

    asyncio.run(main())


def test_a_draining_server_refuses_and_answers_what_it_has() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, client):
            under_way = asyncio.create_task(client.post("/gated", json="a"))
            await until(lambda: gates["a"].held, "the request to run")
            service.stop()
            refused = await client.post("/gated", json="b")
            judge(refused, 503, "draining")
            assert "retry-after" in refused.headers
            gates["a"].open()
            assert (await under_way).status_code == 200

    asyncio.run(main())


def test_what_is_cut_at_the_end_of_the_grace_is_told() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, client):
            under_way = asyncio.create_task(client.post("/gated", json="a"))
            await until(lambda: gates["a"].held, "the request to run")
            service.stop(0.05)
            judge(await under_way, 503, "draining")
            await until(lambda: gates["a"].cancelled, "its work to be cancelled")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("two words", False),
        ("", False),
        ("caf\u00e9", False),
        (None, False),
    ],
)
def test_a_label_is_kept_if_it_is_sane(given: str | None, *, kept: bool) -> None:
    async def main() -> None:
        async with ready(Typed) as (_, client):
            headers = {} if given is None else {b"X-Request-Id": given.encode("latin-1")}
            for body in ({"name": "a"}, {}):
                answer = await client.post("/typed", json=body, headers=headers)
                label = answer.headers["x-request-id"]
                assert (label == given) is kept
                assert 1 <= len(label) <= 128
                assert label.isprintable()

    asyncio.run(main())


def test_labels_made_for_clients_differ() -> None:
    async def main() -> None:
        async with ready(Typed) as (_, client):
            answers = [await client.post("/typed", json={"name": "a"}) for _ in range(10)]
            assert len({answer.headers["x-request-id"] for answer in answers}) == 10

    asyncio.run(main())


def test_a_client_that_leaves_the_queue_is_forgotten() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, _):
            running = RawClient(service, "/gated", b'"a"')
            await until(lambda: gates["a"].held, "the first to run")
            waiting = [RawClient(service, "/gated", b'"b"') for _ in range(2)]
            await until(lambda: queued(service, "gated") == 2, "the others to wait")
            for client in waiting:
                client.leave()
            await until(lambda: queued(service, "gated") == 0, "the queue to be empty")
            await asyncio.gather(*(client.task for client in waiting))
            assert not any(client.sent for client in waiting)
            running.leave()
            await until(lambda: gates["a"].cancelled, "the running one to be cancelled")
            await running.task
            assert not running.sent
            assert gates["b"].held == 0

    asyncio.run(main())


def test_a_client_that_leaves_while_it_sends_is_forgotten() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, _):
            client = RawClient(service, "/gated", b'"a"')
            client._coming.get_nowait()
            client._coming.put_nowait({"type": "http.request", "body": b'"', "more_body": True})
            client.leave()
            await asyncio.wait_for(client.task, 1)
            assert not client.sent
            assert not gates["a"].held

    asyncio.run(main())


def test_the_servers_own_cancellation_drops_the_request_and_passes() -> None:
    async def main() -> None:
        async with ready(Gated) as (service, _):
            client = RawClient(service, "/gated", b'"a"')
            await until(lambda: gates["a"].held, "it to run")
            client.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await client.task
            await until(lambda: gates["a"].cancelled, "its work to be cancelled")

    asyncio.run(main())
