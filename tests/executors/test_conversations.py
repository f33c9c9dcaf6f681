"""Applications in a replica, without a process: what leaves of a response, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headrace.core.credit import WINDOW
from headrace.model.envelope import (
    Answer,
    Closed,
    Envelope,
    Fault,
    Head,
    Message,
    Opened,
    Part,
    Reply,
)
from headrace.model.faults import NOBODY_WAITS
from headrace.replica.asgi import serve
from headrace.replica.asgi_http import PIECE_BYTES
from headrace.replica.conversations import Conversations
from headrace.replica.exchange import AHEAD, Exchange
from headrace.replica.frames import Feed, Want
from headrace.replica.words import Words
from tests.support.loops import on_a_loop, turns

App = Callable[[Any, Any, Any], Awaitable[None]]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/x")]}


def body(piece: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


class Told:
    """A replica of an application, and all that it tells."""

    def __init__(self, app: App) -> None:
        self.sent: list[Part] = []
        self.replies: list[Reply] = []
        self.wanted = 0
        self.words = Words()

        async def answer(exchange: Exchange) -> Reply:
            assert exchange.envelope.head is not None
            return await serve(app, exchange, exchange.envelope.head, {})

        self.calls = Conversations(answer, self, self._want, self.words)

    def ask(self, kind: str = "http", *, method: str = "GET", more: bool = False) -> None:
        head = Head(method, "/", b"", [], "1.2.3.4:5", kind=kind, more=more)
        self.calls.begin(1, [Envelope("it", 1e12, 1, None, b"", head)])

    def feed(self, *messages: Message) -> None:
        self.words.hear(Feed(1, 0, list(messages)))

    def _want(self, want: Want) -> None:
        self.wanted += want.messages

    def parts(self, serial: int, parts: list[tuple[int, Part]]) -> None:
        self.sent += [part for _, part in parts]

    def ended(self, serial: int, place: int, reply: Reply) -> None:
        raise AssertionError("a call has one request")

    def finished(self, serial: int, took_s: float, replies: list[Reply]) -> None:
        self.replies += replies


@on_a_loop
async def test_a_response_that_is_whole_when_the_application_returns_is_one_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send(START)
        await send(body(b"all of it"))

    told = Told(app)
    told.ask()
    await turns()
    assert told.sent == []
    assert told.replies == [Answer(200, "text/x", b"all of it", [])]
    await asyncio.wait_for(told.calls.all_ended(), 1)


@on_a_loop
async def test_an_application_that_goes_on_does_not_hold_its_response_up() -> None:
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"at once"))
        assert await receive() == {"type": "http.disconnect"}  # it has its answer
        await go.wait()

    told = Told(app)
    told.ask()
    await turns()
    opened = Opened(200, "text/x", [("content-length", "7")])
    assert told.sent == [opened, b"at once", Message("http.response.end")]
    assert told.replies == []
    go.set()
    await turns()
    assert told.replies == [Closed()]


@on_a_loop
async def test_a_stream_stops_where_its_reader_has_no_room() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for _ in range(100):
            await send(body(b"x", more=True))
        await send(body(b""))

    told = Told(app)
    told.ask()
    await turns(20)
    assert len(told.sent) == WINDOW
    told.calls.grant(1, 0, 10)
    await turns(20)
    assert len(told.sent) == WINDOW + 10
    told.calls.grant(1, 0, 1000)
    await turns(200)
    assert len(told.sent) == 101
    assert told.replies == [Closed()]


@on_a_loop
async def test_what_is_sent_in_pieces_goes_in_small_ones() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(bytes(3 * PIECE_BYTES + 1), more=True))
        await send(body(b""))

    told = Told(app)
    told.ask()
    await turns()
    assert [len(part) for part in told.sent[1:] if isinstance(part, bytes)] == [
        *[PIECE_BYTES] * 3,
        1,
    ]


@on_a_loop
async def test_a_body_comes_as_it_is_read_and_no_faster() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            event = await receive()
            seen.append(event["body"])
            more = event["more_body"]
        await send(START)
        await send(body(b"thanks"))

    told = Told(app)
    told.ask(method="POST", more=True)
    await turns()
    assert told.wanted == AHEAD
    for number in range(20):
        told.feed(Message("http.request", data=b"%d" % number, more=number < 19))
        await turns()
        assert told.wanted - (number + 1) <= AHEAD
    assert seen == [b"%d" % number for number in range(20)]
    assert told.replies == [Answer(200, "text/x", b"thanks", [])]


@on_a_loop
async def test_who_swallows_its_cancellation_ends_all_the_same() -> None:
    heard: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            heard.append(await receive())
        await send(START)
        with pytest.raises(OSError, match="the client left"):
            await send(body(b"for nobody", more=True))

    told = Told(app)
    told.ask()
    await turns()
    told.calls.give_up_on(1, 0)
    await turns()
    assert heard == [{"type": "http.disconnect"}]
    assert told.replies == [Closed()]
    told.calls.give_up_on(1, 0)  # it has ended: no news


@on_a_loop
async def test_one_that_is_cancelled_before_it_begins_is_reported_too() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it never begins")

    told = Told(app)
    told.ask()
    told.calls.cancel_all()
    await asyncio.wait_for(told.calls.all_ended(), 1)
    assert told.replies == [NOBODY_WAITS]


BAD: list[list[Any]] = [
    [],
    [START],
    [body(b"first")],
    [START, START],
    [START, body(b"x"), body(b"y")],
    [{**START, "status": "200"}, body(b"")],
    [{**START, "status": 99}, body(b"")],
    [{**START, "headers": [("text", "x")]}, body(b"")],
    [{**START, "headers": [(b"a b", b"x")]}, body(b"")],
    [{**START, "headers": [(b"a", b"x\r\ny: z")]}, body(b"")],
    [{**START, "headers": [(b"content-length", b"5")]}, body(b"four")],
    [{**START, "headers": [(b"content-length", b"3")]}, body(b"four")],
    [START, {"type": "http.response.body", "body": "text"}],
    [{"type": "nonsense"}],
    [None],
]


@pytest.mark.parametrize("events", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("swallows", [True, False])
def test_what_is_no_response_is_a_fault(events: list[Any], swallows: bool) -> None:  # noqa: FBT001
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            for event in events:
                await send(event)
        except RuntimeError:
            if not swallows:
                raise

    async def ask() -> Reply:
        told = Told(app)
        told.ask()
        await turns()
        assert told.sent == []
        return told.replies[0]

    reply = asyncio.run(ask())
    assert isinstance(reply, Fault)
    assert reply.status == 500


@on_a_loop
async def test_a_websocket_reads_what_came_before_its_client_left() -> None:
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            heard.append(event.get("text", event.get("bytes")))
        heard.append(event["code"])
        heard.append((await receive())["type"])
        with pytest.raises(OSError, match="the client left"):
            await send({"type": "websocket.send", "text": "anyone?"})

    told = Told(app)
    told.ask("websocket")
    assert told.wanted == 0
    await turns()
    assert told.wanted == AHEAD  # before it reads: so that a client that leaves is heard of
    told.feed(
        Message("websocket.receive", text="one"),
        Message("websocket.receive", data=b"two"),
        Message("websocket.disconnect", code=1001),
    )
    await turns()
    assert heard == ["one", b"two", 1001, "websocket.disconnect"]
    assert told.replies == [Closed()]


SOCKET_ENDS: list[tuple[list[Any], list[Part], bool]] = [
    ([], [], True),
    ([{"type": "websocket.send", "text": "early"}], [], True),
    ([{"type": "websocket.close"}], [Message("websocket.close", text="", code=1000)], False),
    (
        [{"type": "websocket.accept", "subprotocol": "a"}, {"type": "websocket.accept"}],
        [Message("websocket.accept", text="a")],
        True,
    ),
    (
        [
            {"type": "websocket.accept", "headers": [(b"A", b"b")]},
            {"type": "websocket.close", "code": 4000, "reason": "done"},
        ],
        [
            Message("websocket.accept", headers=[(b"a", b"b")]),
            Message("websocket.close", text="done", code=4000),
        ],
        False,
    ),
    (
        [
            {"type": "websocket.http.response.start", "status": 401, "headers": []},
            {"type": "websocket.http.response.body", "body": b"no"},
        ],
        [Opened(401, "", []), b"no"],
        False,
    ),
    (
        [{"type": "websocket.accept"}, {"type": "websocket.send", "text": 3}],
        [Message("websocket.accept")],
        True,
    ),
]


@pytest.mark.parametrize(("events", "sent", "fails"), SOCKET_ENDS, ids=range(len(SOCKET_ENDS)))
def test_a_websocket_may_say_what_its_life_allows(
    events: list[Any],
    sent: list[Part],
    fails: bool,  # noqa: FBT001
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in events:
            await send(event)

    async def ask() -> Told:
        told = Told(app)
        told.ask("websocket")
        await turns()
        return told

    told = asyncio.run(ask())
    assert told.sent == sent
    assert isinstance(told.replies[0], Fault) is fails
