"""Every request is one line of the access log, whichever way it took."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from tests.http.plainly import PATIENCE_S, get, served
from tests.support.waiting import until

WORDS = "%(m)s %(U)s %(s)s %(B)s %({X-Request-Id}o)s %({Content-Type}o)s"


def flask_like(environ: Any, start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    environ["wsgi.input"].read()
    if path == "/boom":
        raise ValueError
    start_response("201 Created", [("Content-Type", "text/x")])
    return iter([b"ab", b"cde"]) if path == "/parts" else [b"hello"]


async def whole(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("hello", 201, media_type="text/x")


async def parts(request: Request) -> StreamingResponse:
    return StreamingResponse(iter(["ab", "cde"]), 201, media_type="text/x")


async def boom(request: Request) -> None:
    raise ValueError


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


ROUTES = [
    Route("/", whole, methods=["GET", "POST"]),
    Route("/parts", parts),
    Route("/boom", boom),
    WebSocketRoute("/socket", echo),
]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_line_tells_what_was_answered_by_whichever_way(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    app: Any = flask_like if kind == "wsgi" else Starlette(routes=ROUTES)
    with (
        served(app, kind, access_log=path, access_log_format=WORDS) as server,
        httpx2.Client(base_url=server.url, headers={"X-Request-Id": "mine"}) as client,
    ):
        client.get("/")
        client.post("/", content=b"x" * 100_000)
        client.get("/parts")
        client.get("/boom")
        client.head("/") if kind == "wsgi" else client.get("/")
        client.get("/-/health/live")
    lines = path.read_text().splitlines()
    charset = "" if kind == "wsgi" else "; charset=utf-8"
    assert lines[:3] == [
        f"GET / 201 5 mine text/x{charset}",
        f"POST / 201 5 mine text/x{charset}",
        f"GET /parts 201 5 mine text/x{charset}",
    ]
    assert lines[3].startswith("GET /boom 500 ")
    assert lines[4].split()[:4] in (["HEAD", "/", "201", "0"], ["GET", "/", "201", "5"])
    assert lines[5].startswith("GET /-/health/live 200 15 mine application/json")
    assert len(lines) == 6


def is_told(path: Path, line: str) -> bool:
    return line in path.read_text()


def test_a_client_that_left_is_a_499(tmp_path: Path) -> None:
    path, gate = tmp_path / "access.log", threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        def parts() -> Iterator[bytes]:
            while not gate.wait(0.001):
                yield b"x"

        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/whole":
            gate.wait(PATIENCE_S)
            return [b"too late"]
        return parts()

    with served(app, threads=2, access_log=path, access_log_format="%(U)s %(s)s") as server:
        for there in ("/whole", "/parts"):
            with server.connect() as sock:
                sock.sendall(get(there))
                if there == "/parts":
                    assert sock.recv(100)
            assert until(partial(is_told, path, f"{there} 499"), PATIENCE_S)
        gate.set()
    assert sorted(path.read_text().splitlines()) == ["/parts 499", "/whole 499"]


def test_a_websocket_is_a_line_too(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with (
        served(
            Starlette(routes=ROUTES), "asgi", access_log=path, access_log_format="%(U)s %(s)s"
        ) as server,
        connect(f"ws://127.0.0.1:{server.port}/socket") as client,
    ):
        with pytest.raises(Exception, match="1000"):
            client.recv(PATIENCE_S)
        assert until(lambda: path.read_text() == "/socket 101\n", PATIENCE_S)
