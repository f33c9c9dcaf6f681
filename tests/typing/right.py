"""What a user may write: no type checker finds anything here."""

from __future__ import annotations

from typing import Any, assert_type

import httpx2

import headrace as hr
from headrace.testing import Client, check_isolation


@hr.deployment
class Plain(hr.Model):
    factor = 2

    def predict(self, value: int) -> int:
        return value * self.factor


@hr.deployment(
    name="full",
    route="/full",
    replicas=2,
    devices=[0, 1],
    threads_per_replica=1,
    executor="inline",
    max_batch_size=32,
    batch_wait_s=0.01,
    max_queued_requests=10,
    timeout_s=None,
    env={"A": "1"},
)
class Full(hr.Model):
    async def setup(self, device: str) -> None:
        self.loading(1, 2, "weights")

    def predict_batch(self, values: list[str], contexts: list[hr.Context]) -> list[str]:
        for context in contexts:
            assert_type(context, hr.Context)
            assert_type(context.remaining(), float)
        return values


def a_decorated_class_is_still_itself() -> None:
    assert_type(Plain(), Plain)
    assert_type(Plain().predict(2), int)
    assert_type(Plain.factor, int)
    assert_type(Full().predict_batch([], []), list[str])


def a_server_is_started() -> None:
    assert_type(hr.start(Plain, Full, port=0), hr.Running)
    with hr.start(Plain) as running:
        assert_type(running, hr.Running)
        assert_type(running.url, str)
        assert_type(running.status(), dict[str, Any])
    server = hr.Server(Plain, log_level="debug")
    assert_type(server.start(), hr.Running)
    server.run()


def a_context_is_a_dict_and_more() -> None:
    context = hr.Context(request_id="r", headers={"accept": "text/plain"}, deadline=1.0)
    context["key"] = object()
    context.status = 201
    context.response_headers = {"X-A": "b"}
    assert_type(context.headers["accept"], str)
    assert_type(context.response_headers, dict[str, str])
    assert_type(hr.current_context(), hr.Context)


def a_client_answers_as_httpx2_does() -> None:
    with Client(Plain, hr.Server(Full), max_body_bytes=10) as client:
        assert_type(client, Client)
        assert_type(client.post("/plain", json=1), httpx2.Response)
        assert_type(client.get("/-/info", params={"a": "b"}), httpx2.Response)
    check_isolation(Plain, [1, 2], tolerance=0.0)


def an_upload_and_a_fault(upload: hr.Upload) -> None:
    assert_type(upload.data, bytes)
    raise hr.HTTPError(404, "no such user", {"X-Hint": upload.filename})
