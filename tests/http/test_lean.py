"""A request's way from its head to its task, for applications of every kind."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest

from tests.http.plainly import PATIENCE_S, everything, get, served
from tests.support.waiting import until

OK = {"type": "http.response.start", "status": 200, "headers": []}
KEPT = b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n"
LONGEST_QUEUE = struct.Struct("28xI")
"""Where TCP_INFO of a listening socket says how many may wait."""


async def answer(send: Any, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    await send({**OK, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    return body


@pytest.mark.parametrize("late", [False, True])
def test_a_body_is_whole_whether_it_is_asked_for_before_or_after_it_came(late: bool) -> None:  # noqa: FBT001 - a case
    arrived = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/now":
            arrived.set()
        elif late:
            await arrived.wait()
        await answer(send, await read(receive) if scope["path"] != "/now" else b"")

    body = b"x" * 40_000
    head = b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n"
    with served(app, "asgi") as server, server.connect() as sock:
        for part in (head, body[:10], body[10:]):
            sock.sendall(part)
        server.talk(get("/now"))
        assert everything(sock).endswith(b"\r\n\r\n" + body)


def test_who_waits_behind_its_answer_hears_that_the_request_is_over() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await read(receive)
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await answer(send, b"ok")
        heard.extend([(await waiting)["type"], (await receive())["type"]])

    with served(app, "asgi") as server:
        assert server.talk(get()).endswith(b"ok")
        assert until(lambda: heard, PATIENCE_S)
    assert heard == ["http.disconnect", "http.disconnect"]


def test_requests_in_one_packet_are_answered_one_by_one() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0 if scope["path"] == "/2" else 0.01)
        await answer(send, scope["path"].encode())

    with served(app, "asgi") as server:
        came = server.talk(b"".join([KEPT % b"/1", KEPT % b"/2", get("/3")]))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in came.split(b"HTTP/1.1 200 OK\r\n")]
    assert bodies == [b"", b"/1", b"/2", b"/3"]


async def _raise(receive: Any, send: Any) -> None:
    raise RuntimeError("as asked")


async def _return(receive: Any, send: Any) -> None:
    return None


async def _half(receive: Any, send: Any) -> None:
    await send(OK)
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def _cancel(receive: Any, send: Any) -> None:
    raise asyncio.CancelledError


async def _value(receive: Any, send: Any) -> Any:
    await answer(send, b"ok")
    return 1


WAYS = {"/raise": _raise, "/return": _return, "/half": _half, "/cancel": _cancel, "/value": _value}


def test_no_way_to_end_leaves_a_task_that_a_stop_would_wait_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return await WAYS[scope["path"]](receive, send)

    with served(app, "asgi") as server:
        told = {path: server.talk(get(path)).partition(b"\r\n")[0] for path in WAYS}
        server.stop(3 * PATIENCE_S)
        server.wait()
    failed = b"HTTP/1.1 500 Internal Server Error"
    assert told == {
        "/raise": failed,
        "/return": failed,
        "/half": b"HTTP/1.1 200 OK",
        "/cancel": failed,
        "/value": b"HTTP/1.1 200 OK",
    }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-type", b"text/plain")], b"200"),
        ([(b"content-type", b"text/plain\r\nx: y")], b"500"),
        ([(b"content-type", "text/plain")], b"500"),
        ([(b"content-length", b"2")], b"200"),
        ([(b"content-length", b"2"), (b"content-length", b"2")], b"500"),
        ([(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")], b"200"),
        ([(b"x-request-id", b"of the application")], b"200"),
        ([b"no pair"], b"500"),
    ],
)
def test_headers_seen_a_second_time_are_judged_as_at_first(headers: Any, status: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"ok", *headers)

    with served(app, "asgi") as server:
        for _ in range(2):
            head, _, body = server.talk(get()).partition(b"\r\n\r\n")
            assert head.split()[1] == status
            lines = head.lower().split(b"\r\n")
            assert sum(line.startswith(b"x-request-id: ") for line in lines) == 1
            if status == b"200":
                assert body == b"ok"
                assert lines.count(b"content-length: 2") == 1
                assert all(b"%s: %s" % (name.lower(), value) in lines for name, value in headers)
        head, _, body = server.talk(get(method="HEAD")).partition(b"\r\n\r\n")
        assert body == b""


def test_the_queue_in_the_kernel_is_as_long_as_the_setting_says() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"ok")

    with served(app, "asgi", backlog=7) as server:
        told = server._sock.getsockopt(socket.SOL_TCP, socket.TCP_INFO, LONGEST_QUEUE.size)
    assert LONGEST_QUEUE.unpack(told) == (7,)


def test_a_silent_connection_may_still_ask_for_as_long_as_the_setting_says() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"ok")

    with served(app, "asgi", drain_linger_s=3 * PATIENCE_S) as server, server.connect() as sock:
        sock.sendall(KEPT % b"/")
        assert sock.recv(1 << 16).endswith(b"ok")
        server.stop(3 * PATIENCE_S)
        sock.settimeout(1.5)  # half a second more than the default
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(PATIENCE_S)
        sock.sendall(KEPT % b"/")
        assert b"connection: close" in everything(sock).lower()
