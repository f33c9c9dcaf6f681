"""What stands around the application, over real sockets and from the command line."""

from __future__ import annotations

import gzip
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.http.endpoints import ModelEndpoint
from tests.e2e.serving import PATIENCE_S, program, served

pytestmark = pytest.mark.e2e

PAGE = "https://a.example"


@hr.deployment(executor="inline")
class Long(hr.Model):
    def predict(self, times: int) -> str:
        return "abcdefgh" * times


class Breaks:
    """Raises once it has begun to answer."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("a secret of the middleware")


def test_every_request_goes_through_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    monkeypatch.setattr(ModelEndpoint, "take", lambda *words: taken.append(words[2]))
    with hr.start(Long, port=0, gzip=True, cors_origins=["*"]) as server:
        headers = {"Accept-Encoding": "gzip", "Origin": PAGE}
        url = f"{server.url}/predict"
        with httpx2.stream("POST", url, json=1000, headers=headers, timeout=PATIENCE_S) as said:
            body = b"".join(said.iter_raw())
        assert said.headers["content-encoding"] == "gzip"
        assert said.headers["access-control-allow-origin"] == "*"
        assert gzip.decompress(body) == b'"' + b"abcdefgh" * 1000 + b'"'
    assert taken == []


def test_a_failure_in_the_middle_of_an_answer_ends_the_connection() -> None:
    with hr.start(Long, port=0, middleware=[(Breaks, {})]) as server:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):  # ended, or reset
            httpx2.post(f"{server.url}/predict", json=1, timeout=PATIENCE_S)
        live = httpx2.get(f"{server.url}/-/health/live", timeout=PATIENCE_S)
        assert live.status_code == 200


def test_the_command_finds_the_middleware_of_a_script() -> None:
    with served("surrounded.py") as server:
        headers = {"Origin": PAGE}
        url = f"{server.url}/predict"
        said = httpx2.post(url, json="Ada", headers=headers, timeout=PATIENCE_S)
        assert said.json() == "Hello, Ada!"
        assert said.headers["x-stamp"] == "seen"
        assert said.headers["access-control-allow-origin"] == PAGE


def test_the_command_takes_origins_and_gzip() -> None:
    flags = ("--cors-origin", PAGE, "--cors-origin", "https://b.example", "--gzip")
    with served("hello.py", *flags) as server:
        headers = {"Origin": "https://b.example", "Accept-Encoding": "gzip"}
        said = httpx2.get(f"{server.url}/docs.js", headers=headers, timeout=PATIENCE_S)
        assert said.headers["access-control-allow-origin"] == "https://b.example"
        assert said.headers["content-encoding"] == "gzip"


def test_middleware_that_cannot_travel_to_the_server_is_told() -> None:
    with program("-m", "headrace", "serve", "unsendable.py", "--port=0") as failed:
        assert failed.exit_code() == 2
        assert "middleware Locks: under `headrace serve`" in failed.terminal
        assert "Traceback" not in failed.terminal
