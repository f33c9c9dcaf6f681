"""An application's start-up comes before its first request, its shutdown after the last."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from headrace.errors import SetupFailed
from tests.http.plainly import PATIENCE_S, get, served
from tests.support.waiting import until


def starlette(lifespan: Any = None, **routes: Any) -> Starlette:
    found = [Route(f"/{name}", there, methods=["GET", "POST"]) for name, there in routes.items()]
    return Starlette(lifespan=lifespan, routes=found)


def test_the_state_reaches_requests_and_what_follows_the_yield_runs_at_the_stop() -> None:
    told: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
        told.append("loaded")
        yield {"model": ["weights"]}
        told.append("released")

    async def use(request: Request) -> JSONResponse:
        request.state.seen = "by this request alone"
        return JSONResponse([request.state.model, told, "seen" in request.scope["state"]])

    with served(starlette(lifespan, use=use), "asgi") as server:
        for _ in range(2):
            assert httpx2.get(server.url + "/use").json()[:2] == [["weights"], ["loaded"]]
    assert told == ["loaded", "released"]


def test_a_start_up_that_fails_is_an_error_with_the_reason_and_the_traceback() -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        raise FileNotFoundError("no weights.bin")
        yield

    with (
        pytest.raises(
            SetupFailed, match=r"could not start: FileNotFoundError: no weights\.bin"
        ) as e,
        served(starlette(lifespan), "asgi"),
    ):
        pass
    assert e.value.exit_code == 3
    assert "in lifespan" in e.value.traceback


def test_an_application_that_raises_at_the_event_itself_cannot_start() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            raise OSError("no device")

    with pytest.raises(SetupFailed, match="OSError: no device"), served(app, "asgi"):
        pass


async def asserting(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await answer(scope, receive, send)


async def mistaking(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await answer({"path": scope["path"]}, receive, send)


async def hasty(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await answer(scope, receive, send)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize("app", [asserting, mistaking, hasty], ids=lambda app: app.__name__)
def test_an_application_without_a_lifespan_is_fine(app: Any) -> None:
    with served(app, "asgi") as server:
        assert httpx2.get(server.url).text == "hello"


def test_a_shutdown_that_fails_is_told_and_the_stop_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        yield
        raise ValueError("cannot release")

    with caplog.at_level(logging.ERROR, "headrace.http"), served(starlette(lifespan), "asgi"):
        pass
    assert "the application's shutdown failed" in caplog.text
    assert "cannot release" in caplog.text


def test_background_tasks_run_behind_the_answer() -> None:
    done: list[str] = []

    async def route(request: Request) -> PlainTextResponse:
        return PlainTextResponse("Task Scheduled", background=BackgroundTask(done.append, "done"))

    with served(starlette(task=route), "asgi") as server:
        assert httpx2.get(server.url + "/task").text == "Task Scheduled"
        assert until(lambda: done, PATIENCE_S)


def test_streams_leave_part_by_part_and_end_with_their_client() -> None:
    closed: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        import asyncio

        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.001)
        finally:
            closed.append("closed")

    async def route(request: Request) -> StreamingResponse:
        return StreamingResponse(endless())

    with served(starlette(ticks=route), "asgi") as server:
        with httpx2.stream("GET", server.url + "/ticks") as answer:
            assert next(answer.iter_raw()).startswith(b"tick")
        assert until(lambda: closed, PATIENCE_S)


def test_an_endless_stream_that_never_listens_ends_with_its_client_too() -> None:
    ended: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        import asyncio

        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0.001)
        except OSError as error:
            ended.append(error)
            raise

    with served(app, "asgi") as server:
        with server.connect() as sock:
            sock.sendall(get())
            assert sock.recv(100)
        assert until(lambda: ended, PATIENCE_S)


def test_websockets_talk_see_the_state_and_are_told_of_the_stop() -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
        yield {"greeting": "hello "}

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text(socket.state.greeting + await socket.receive_text())

    app = Starlette(lifespan=lifespan, routes=[WebSocketRoute("/echo", echo)])
    with served(app, "asgi") as server:
        with connect(f"ws://127.0.0.1:{server.port}/echo") as client:
            client.send("you")
            assert client.recv(PATIENCE_S) == "hello you"
            server.stop(1.0)
            with contextlib.suppress(Exception):
                client.recv(PATIENCE_S)
            assert client.close_code == 1012
        server.wait()


def test_our_own_paths_are_answered_before_the_application() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with served(app, "asgi") as server, httpx2.Client(base_url=server.url) as client:
        assert client.get("/-/health/ready").json() == {"status": "ok"}
        assert client.get("/-/info").json()["kind"] == "asgi"
        assert client.get("/-/nothing").json()["code"] == "not_found"
        assert client.get("/health").status_code == 418
        assert client.get("/").headers["content-length"] == "0"


@pytest.mark.parametrize("way", ["declared", "chunked"])
def test_a_body_over_the_limit_is_a_413(way: str) -> None:
    async def route(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    with served(starlette(size=route), "asgi", max_body_bytes=1000) as server:
        url = server.url + "/size"
        assert httpx2.post(url, content=b"x" * 1000).text == "1000"
        body: Any = b"x" * 1001 if way == "declared" else iter([b"x" * 600] * 2)
        told = httpx2.post(url, content=body)
        assert (told.status_code, told.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("size", [5, 5000])
def test_what_stands_around_an_application_sees_its_answers(size: int) -> None:
    async def route(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * size)

    with served(starlette(x=route), "asgi", gzip=True) as server:
        told = httpx2.get(server.url + "/x")
        assert told.text == "x" * size
        assert ("content-encoding" in told.headers) == (size > 1024)


@pytest.mark.parametrize("status", [99, 1000, "200"])
def test_what_is_no_response_is_a_500(status: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with served(app, "asgi") as server:
        told = httpx2.get(server.url)
        assert (told.status_code, json.loads(told.content)["code"]) == (500, "application_failed")


@pytest.mark.parametrize("path", ["/shop/cart", "/cart"])
def test_a_root_path_holds_whether_the_proxy_strips_it_or_not(path: str) -> None:
    async def route(request: Request) -> JSONResponse:
        return JSONResponse([request.scope["root_path"], request.scope["path"]])

    with served(starlette(cart=route), "asgi", root_path="/shop") as server:
        assert httpx2.get(server.url + path).json() == ["/shop", "/shop/cart"]
