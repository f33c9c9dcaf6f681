"""Whatever an application sends, what leaves is a whole response, a 500, or an abort."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import RequestTimeout
from headrace.host.connection import EXTENSION
from headrace.http.guard import BadAnswer, Guard
from headrace.http.hangup import Cut

Sending = Callable[[Any], Awaitable[None]]
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
END: dict[str, Any] = {"type": "http.response.body", "body": b"ok"}


class Connection:
    """What our own protocol gives an application."""

    def __init__(self, *, lost: bool = False) -> None:
        self.lost, self.aborted = lost, False

    def abort(self) -> None:
        self.aborted = True


def start(status: Any = 200, *headers: Any) -> dict[str, Any]:
    return {**START, "status": status, "headers": list(headers)}


def body(part: Any, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": more}


def sends(*messages: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Sending) -> None:
        for message in messages:
            await send(message)

    return app


def ran(app: Any, connection: Connection | None = None, method: str = "GET") -> list[Any]:
    """Run an application behind the guard; return what left."""
    left: list[Any] = []

    async def send(message: Any) -> None:
        left.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(b"x-request-id", b"mine")],
        "extensions": {EXTENSION: connection} if connection else {},
    }
    asyncio.run(Guard(app)(scope, receive, send))
    return left


def assert_is_a_500(left: list[Any]) -> None:
    begin, end = left
    assert begin["status"] == 500
    assert (b"content-type", b"application/problem+json") in begin["headers"]
    assert (b"x-request-id", b"mine") in begin["headers"]
    told = json.loads(end["body"])
    assert (told["code"], told["request_id"]) == ("application_failed", "mine")


GOOD = {
    "two messages": (START, END),
    "a stream": (START, body(b"a", more=True), body(b"", more=True), body(b"b")),
    "a length that is true": (start(200, (b"Content-Length", b"2")), END),
    "a length in parts": (
        start(200, (b"content-length", b"2")),
        body(b"o", more=True),
        body(b"k"),
    ),
    "a body without a body": (START, {"type": "http.response.body"}),
    "any final status": (start(599), END),
    "odd but legal headers": (start(200, (b"X!#$%&'*+-.^_`|~1", b"\ta\xff "), (b"e", b"")), END),
}


def content(messages: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(bytes(message.get("body", b"")) for message in messages)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_response_passes(name: str) -> None:
    connection = Connection()
    left = ran(sends(*GOOD[name]), connection)
    assert content(left) == content(GOOD[name])
    assert left[0]["status"] == GOOD[name][0]["status"]
    assert not connection.aborted


BAD_BEFORE = {
    "nothing": (),
    "no message": ("hello",),
    "a message of no type": ({},),
    "an unknown message": ({"type": "http.response.trailers"},),
    "a body first": (END,),
    "an interim status": (start(100),),
    "a status of 99": (start(99),),
    "a status of 600": (start(600),),
    "a status in words": (start("200"),),
    "a status that is true": ({**START, "status": True},),
    "no status": ({"type": "http.response.start"},),
    "headers as a number": ({**START, "headers": 5},),
    "a header in text": (start(200, ("x", "y")),),
    "a header of three": (start(200, (b"x", b"y", b"z")),),
    "an empty name": (start(200, (b"", b"y")),),
    "a name with a space": (start(200, (b"x y", b"z")),),
    "a name with a colon": (start(200, (b"x:", b"z")),),
    "a name with a line end": (start(200, (b"x\r\ny", b"z")),),
    "a value with a CR": (start(200, (b"x", b"a\rb")),),
    "a value with a LF": (start(200, (b"x", b"a\nb")),),
    "a value with a whole response": (start(200, (b"x", b"a\r\n\r\nHTTP/1.1 200 OK")),),
    "a value with a NUL": (start(200, (b"x", b"a\0b")),),
    "a value that is text": (start(200, (b"x", "y")),),
    "a negative length": (start(200, (b"content-length", b"-1")),),
    "a length with a sign": (start(200, (b"content-length", b"+1")),),
    "a length that is none": (start(200, (b"content-length", b"x")),),
    "two lengths": (start(200, (b"content-length", b"2"), (b"Content-Length", b"2")),),
    "an encoding of its own": (start(200, (b"transfer-encoding", b"gzip")),),
}


@pytest.mark.parametrize("name", BAD_BEFORE)
def test_a_fault_before_the_start_is_a_logged_500(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection()
    assert_is_a_500(ran(sends(*BAD_BEFORE[name]), connection))
    assert not connection.aborted
    assert "request mine: the application failed" in caplog.text


BAD_AFTER = {
    "no end": (START,),
    "an end that is owed": (START, body(b"a", more=True)),
    "a second start": (START, START),
    "text for a body": (START, body("ok")),
    "None for a body": (START, body(None)),
    "more than its length": (start(200, (b"content-length", b"1")), END),
    "less than its length": (start(200, (b"content-length", b"3")), END),
    "an unknown message": (START, {"type": "http.response.push"}),
}


@pytest.mark.parametrize("name", BAD_AFTER)
def test_a_fault_after_the_start_aborts_the_connection(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection()
    left = ran(sends(*BAD_AFTER[name]), connection)
    assert connection.aborted
    assert [message["type"] for message in left].count("http.response.start") == 1
    assert all(message.get("more_body", True) for message in left[1:]), "it has no clean end"
    assert "request mine: the application failed" in caplog.text


@pytest.mark.parametrize("name", BAD_AFTER)
def test_a_foreign_server_hears_of_it_by_an_exception(name: str) -> None:
    with pytest.raises(BadAnswer):
        ran(sends(*BAD_AFTER[name]))


@pytest.mark.parametrize("late", [START, END, {"type": "x"}])
def test_what_comes_after_the_end_is_logged_and_goes_nowhere(
    late: Any, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection()
    assert len(ran(sends(START, END, late), connection)) == 2
    assert not connection.aborted
    assert "response ended" in caplog.text


def test_an_exception_is_a_500_or_an_abort(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(scope: Any, receive: Any, send: Sending) -> None:
        raise LookupError("a secret")

    async def fails_later(scope: Any, receive: Any, send: Sending) -> None:
        await send(START)
        raise LookupError("another secret")

    left = ran(fails, Connection())
    assert_is_a_500(left)
    assert b"secret" not in left[1]["body"]
    assert "a secret" in caplog.text
    connection = Connection()
    assert len(ran(fails_later, connection)) == 1
    assert connection.aborted


def test_an_error_of_ours_keeps_its_status(caplog: pytest.LogCaptureFixture) -> None:
    async def is_too_slow(scope: Any, receive: Any, send: Sending) -> None:
        raise RequestTimeout("the body came too slowly")

    assert ran(is_too_slow)[0]["status"] == 408
    assert not caplog.records


def test_a_fault_that_the_application_swallows_is_a_fault_all_the_same() -> None:
    async def swallows(scope: Any, receive: Any, send: Sending) -> None:
        for message in (start(99), START, END):
            try:
                await send(message)
            except BadAnswer:
                continue

    assert_is_a_500(ran(swallows, Connection()))


def test_nobody_is_told_once_the_client_has_left(caplog: pytest.LogCaptureFixture) -> None:
    connection = Connection(lost=True)
    assert ran(sends(START), connection) == [START]
    assert not connection.aborted
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", 200, b"7"), ("GET", 304, b"7"), ("GET", 204, b"0"), ("HEAD", 404, b"2")],
)
def test_a_response_that_has_no_body_sends_none(method: str, status: int, length: bytes) -> None:
    left = ran(sends(start(status, (b"content-length", length)), END), method=method)
    assert [message.get("body") for message in left] == [None, b""]
    kept = [] if status == 204 else [(b"content-length", length)]
    assert left[0]["headers"] == kept


def test_chunking_is_the_servers_business() -> None:
    assert ran(sends(start(200, (b"Transfer-Encoding", b"chunked")), END))[0]["headers"] == []


def test_what_is_no_request_passes_as_it_is() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((scope["type"], receive, send))

    ends = SimpleNamespace(receive=object(), send=object())
    asyncio.run(Guard(app)({"type": "websocket"}, ends.receive, ends.send))
    assert seen == ["websocket", ends.receive, ends.send]


def test_a_cancelled_request_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def waits(scope: Any, receive: Any, send: Sending) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        ran(waits)
    assert not caplog.records


MESSAGES = st.one_of(
    st.just(START),
    st.just(END),
    st.builds(body, st.binary(max_size=3), more=st.booleans()),
    st.builds(start, st.integers(90, 610), st.tuples(st.binary(max_size=3), st.binary(max_size=3))),
    st.just({"type": "http.request"}),
)


@given(st.lists(MESSAGES, max_size=5), st.sampled_from(["GET", "HEAD"]))
def test_whatever_is_sent_the_client_gets_one_whole_response_or_none(
    messages: list[Any], method: str
) -> None:
    connection = Connection()
    left = ran(sends(*messages), connection, method)
    assert [message["type"] for message in left].count("http.response.start") == 1
    assert left[0]["type"] == "http.response.start"
    has_end = not left[-1].get("more_body", left[-1]["type"] == "http.response.start")
    assert has_end is not connection.aborted


def test_a_response_that_is_to_be_cut_off_is_no_failure_of_the_application(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Sending) -> None:
        await send(start())
        await send(body(b"half", more=True))
        raise Cut

    with pytest.raises(Cut):
        ran(app)
    assert caplog.records == []
