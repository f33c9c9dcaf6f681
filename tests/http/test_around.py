"""What stands around the application does its work, and cannot kill it; absent it costs nothing."""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.errors import ConfigError
from headrace.host.settings import settle
from headrace.http.app import FrontDoor
from headrace.http.messages import App, Receive, Scope, Send
from headrace.model.served import describe
from headrace.service import Service
from tests.http.asking import ready

KEY = "k" * 20
PAGE = "https://shop.example"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-request-timeout-seconds",
}
EVERYTHING = ("/-/info", "/-/metrics", "/-/openapi.json", "/", "/docs", "/nothing")
HEALTH = ("/-/health", "/-/health/live", "/-/health/ready", "/-/health/startup")


@hr.deployment(executor="inline", route="/long")
class Long(hr.Model):
    def predict(self, times: int) -> str:
        return "abcdefgh" * times


@hr.deployment(executor="inline", route="/locked", api_keys=KEY)
class Locked(hr.Model):
    def predict(self, value: Any) -> Any:
        return value


class Marks:
    """Writes its letter into the answer, as every layer does: the outermost last."""

    def __init__(self, app: App, letter: str) -> None:
        self._app, self._letter = app, letter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", self._letter.encode())]
            await send(message)

        await self._app(scope, receive, marked)


class Raises:
    """Raises before the application is asked, or after the response has begun."""

    def __init__(self, app: App, when: str = "before") -> None:
        self._app, self._when = app, when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._when == "after":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("a secret of the middleware")


class Forbids:
    """Raises what says by itself how the request ends."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise hr.HTTPError(403, "not today", {"X-When": "tomorrow"})


class Splits:
    """Sends a header that would be two."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"x-a", b"1\r\nset-cookie: evil=1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class Refuses:
    """Answers by itself, without a word of ours."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})


class Unmade:
    """Takes no application."""

    def __init__(self, app: App, *, level: int) -> None:
        raise ValueError(f"level {level} is too high")


def with_client(work: Any, **settings: Any) -> Any:
    async def main() -> Any:
        async with ready(Long, Locked, **settings) as (service, client):
            return await work(service, client)

    return asyncio.run(main())


def test_with_nothing_asked_for_there_is_nothing_but_the_front_door_and_its_lanes() -> None:
    async def lanes(service: Service, client: httpx2.AsyncClient) -> Any:
        return isinstance(service.app, FrontDoor), sorted(getattr(service.app, "lanes", ()))

    assert with_client(lanes) == (True, ["/locked", "/long"])


@pytest.mark.parametrize(
    "settings",
    [{"cors_origins": ["*"]}, {"gzip": True}, {"middleware": [(Marks, {"letter": "a"})]}],
    ids=str,
)
def test_with_something_around_it_no_request_takes_the_express_lane(settings: Any) -> None:
    async def lanes(service: Service, client: httpx2.AsyncClient) -> Any:
        return getattr(service.app, "lanes", {})

    assert with_client(lanes, **settings) == {}


# --- CORS -----------------------------------------------------------------------------------


def test_a_page_of_a_named_origin_may_ask_a_model_with_a_key() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> None:
        may = await client.options("/locked", headers=PREFLIGHT)
        assert may.status_code == 200
        assert may.headers["access-control-allow-origin"] == PAGE
        assert "POST" in may.headers["access-control-allow-methods"]
        assert "authorization" in may.headers["access-control-allow-headers"]
        assert may.headers["x-request-id"]
        headers = {"Origin": PAGE, "Authorization": f"Bearer {KEY}"}
        for path in ("/locked", "/-/health/live", "/-/info"):
            method = "POST" if path == "/locked" else "GET"
            said = await client.request(method, path, json=1, headers=headers)
            assert said.status_code == 200
            assert said.headers["access-control-allow-origin"] == PAGE
            exposed = said.headers["access-control-expose-headers"]
            assert {"X-Request-Id", "Retry-After"} <= set(exposed.split(", "))
            assert "access-control-allow-credentials" not in said.headers

    with_client(work, cors_origins=[PAGE])


def test_a_refusal_can_be_read_by_the_page_too() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.post("/locked", json=1, headers={"Origin": PAGE})

    said = with_client(work, cors_origins=[PAGE], middleware=[(Marks, {"letter": "a"})])
    assert said.status_code == 401
    assert said.headers["access-control-allow-origin"] == PAGE
    failed = with_client(work, cors_origins=[PAGE], middleware=[(Raises, {})])
    assert failed.status_code == 500
    assert failed.headers["access-control-allow-origin"] == PAGE


def test_another_origin_is_told_nothing_of_the_kind() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> None:
        stranger = {**PREFLIGHT, "Origin": "https://shop.example.evil.example"}
        assert (await client.options("/locked", headers=stranger)).status_code == 400
        said = await client.post("/long", json=1, headers={"Origin": stranger["Origin"]})
        assert said.status_code == 200
        assert "access-control-allow-origin" not in said.headers
        assert said.headers["vary"] == "Origin"

    with_client(work, cors_origins=[PAGE])


def test_any_origin_may_ask_where_the_settings_say_so() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> Any:
        may = await client.options("/long", headers=PREFLIGHT)
        return may.status_code, may.headers["access-control-allow-origin"]

    assert with_client(work, cors_origins=["*"]) == (200, "*")


@pytest.mark.parametrize(
    "origins",
    ["*", PAGE, [f"{PAGE}/"], ["shop.example"], ["https://*.example"], ["HTTPS://Shop"], [1]],
)
def test_what_is_no_list_of_origins_is_an_error(origins: Any) -> None:
    with pytest.raises(ConfigError, match="cors_origins"):
        settle({"cors_origins": origins})


# --- gzip -----------------------------------------------------------------------------------


async def raw_of(client: httpx2.AsyncClient, times: int, accept: str) -> tuple[Any, bytes]:
    headers = {"Accept-Encoding": accept}
    async with client.stream("POST", "/long", json=times, headers=headers) as said:
        return said.headers, b"".join([part async for part in said.aiter_raw()])


def test_long_answers_are_compressed_for_whoever_takes_that() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> None:
        headers, body = await raw_of(client, 1000, "gzip")
        assert headers["content-encoding"] == "gzip"
        assert int(headers["content-length"]) == len(body) < 1000
        assert gzip.decompress(body) == b'"' + b"abcdefgh" * 1000 + b'"'
        headers, body = await raw_of(client, 100, "gzip")
        assert "content-encoding" not in headers, "under 1 KB it costs more than it saves"
        headers, body = await raw_of(client, 1000, "identity")
        assert (len(body), "content-encoding" in headers) == (8002, False)

    with_client(work, gzip=True)


class Streams:
    """Answers with a stream of a media type, part by part."""

    def __init__(self, app: App, media: str) -> None:
        self._media = media.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self._media)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in (b"data: 1\n\n" * 200, b"data: 2\n\n" * 200):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("media", "encoding"),
    [("text/event-stream", None), ("text/event-stream; charset=utf-8", None), ("x/y", "gzip")],
)
def test_an_event_stream_is_never_compressed(media: str, encoding: str | None) -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> Any:
        return (await client.get("/x", headers={"Accept-Encoding": "gzip"})).headers

    headers = with_client(work, gzip=True, middleware=[(Streams, {"media": media})])
    assert headers.get("content-encoding") == encoding


# --- the user's own -------------------------------------------------------------------------


def test_middleware_goes_around_every_endpoint_the_outermost_first() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> None:
        for path in EVERYTHING:
            said = await client.get(path)
            assert said.headers.get_list("x-mark") == ["b", "a"], path
        said = await client.post("/long", json=1)
        assert (said.json(), said.headers.get_list("x-mark")) == ("abcdefgh", ["b", "a"])

    with_client(work, middleware=[(Marks, {"letter": "a"}), (Marks, {"letter": "b"})])


def test_what_middleware_raises_is_a_logged_500_without_a_word_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.post("/long", json=1, headers={"X-Request-Id": "mine"})

    said = with_client(work, middleware=[(Raises, {})])
    assert (said.status_code, said.json()["code"]) == (500, "application_failed")
    assert said.json()["request_id"] == said.headers["x-request-id"] == "mine"
    assert "secret" not in said.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "mine" in record.getMessage()
    assert "a secret of the middleware" in caplog.text


def test_middleware_may_end_a_request_as_a_hook_does_and_may_send_no_nonsense() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.post("/long", json=1)

    said = with_client(work, middleware=[(Forbids, {})])
    assert (said.status_code, said.json()["detail"]) == (403, "403 not today")
    assert said.headers["x-when"] == "tomorrow"
    said = with_client(work, middleware=[(Splits, {})])
    assert (said.status_code, "set-cookie" in said.headers) == (500, False)


def test_health_is_answered_whatever_the_middleware_does() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> None:
        for path in HEALTH:
            said = await client.get(path, headers={"Origin": PAGE})
            assert (path, said.status_code) == (path, 200)
            assert said.headers["access-control-allow-origin"] == PAGE
        for path in EVERYTHING:
            assert (path, (await client.get(path)).status_code) == (path, 500)
        assert (await client.get("/-/healthy")).status_code == 500

    with_client(work, cors_origins=[PAGE], middleware=[(Raises, {})])


def test_once_a_response_has_begun_a_failure_goes_on_to_the_server() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> None:
        with pytest.raises(RuntimeError, match="cut off"):
            await client.post("/long", json=1)

    with_client(work, middleware=[(Raises, {"when": "after"})])


def test_an_answer_of_the_middlewares_own_has_its_request_id() -> None:
    async def work(service: Service, client: httpx2.AsyncClient) -> Any:
        given = await client.post("/long", json=1, headers={"X-Request-Id": "mine"})
        made = await client.post("/long", json=1, headers={"X-Request-Id": "not sane"})
        return given, made

    given, made = with_client(work, middleware=[(Refuses, {})])
    assert (given.status_code, given.headers["x-request-id"]) == (403, "mine")
    assert made.headers["x-request-id"] not in ("", "not sane")


def test_middleware_that_cannot_be_made_is_an_error_at_the_start() -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match="Unmade could not be made: ValueError: level 9"):
            Service([describe(Long)], settle({"middleware": [(Unmade, {"level": 9})]}))

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [[Marks], [(Marks,)], [("Marks", {})], [(Marks, [])], Marks])
def test_what_is_no_list_of_pairs_is_an_error(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        settle({"middleware": wrong})
