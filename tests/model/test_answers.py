"""How an output becomes an answer: JSON, bytes, a Response, or none that can be sent."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http import HTTPStatus
from math import inf, nan
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from headrace.errors import HTTPError
from headrace.model.answers import answer_to
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.envelope import Answer, Fault, Reply
from headrace.model.plain import CannotAnswer
from tests.model.making import ask, fault


@dataclasses.dataclass
class Board:
    size: int


class Struct(msgspec.Struct):
    size: int


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    __slots__ = ()


class Number(float): ...


class Whole(int): ...


class Array:
    """Shaped as numpy's."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def tolist(self) -> Any:
        return self._rows


class Scalar(float):
    """Shaped as numpy.float64: a float, and yet not one."""

    def item(self) -> float:
        return float(self)


class Pydantic:
    """Shaped as a pydantic model."""

    def model_dump(self, *, mode: str) -> dict[str, str]:
        return {"mode": mode}


class Mine(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def returning(make: Callable[[Context], Any]) -> type[Model]:
    class Returning(Model):
        def predict(self, context: Context) -> Any:
            return make(context)

    return Returning


JSON_OUTPUTS: list[tuple[Any, Any]] = [
    (None, None),
    ("a", "a"),
    (1.5, 1.5),
    (2**70, 2**70),
    ([nan, inf, -inf], [None, None, None]),
    ((1, "a"), [1, "a"]),
    ({1: "a"}, {"1": "a"}),
    (frozenset({1}), [1]),
    ({"a": 1}.keys(), ["a"]),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (Mine(), {"a": 1}),
    (range(3), [0, 1, 2]),
    (collections.deque([1]), [1]),
    (Board(3), {"size": 3}),
    (Struct(3), {"size": 3}),
    (Colour.RED, "red"),
    (Text("a"), "a"),
    (Number(1.5), 1.5),
    (Whole(3), 3),
    (Array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (Array(3), 3),
    (Scalar(1.5), 1.5),
    (
        {"a": Array([1]), "b": [Scalar(2)], "c": Pydantic()},
        {"a": [1], "b": [2], "c": {"mode": "json"}},
    ),
    (Context(), {}),
    (dt.date(2024, 2, 29), "2024-02-29"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (decimal.Decimal("1.50"), "1.50"),
    ({"raw": b"\xff"}, {"raw": "/w=="}),
]


@pytest.mark.parametrize(("output", "read"), JSON_OUTPUTS)
def test_an_output_is_written_as_json_in_bare_bytes(output: Any, read: Any) -> None:
    reply = answer_to(output, Context())
    assert isinstance(reply, bytes)
    assert json.loads(reply) == read


@pytest.mark.parametrize("raw", [b"\xff\x00", bytearray(b"\xff\x00"), memoryview(b"\xff\x00")])
def test_bytes_are_an_octet_stream(raw: Any) -> None:
    assert answer_to(raw, Context()) == Answer(200, "application/octet-stream", b"\xff\x00")


def test_the_context_sets_status_and_headers() -> None:
    def make(context: Context) -> str:
        context.status = HTTPStatus.CREATED
        context.response_headers["X-A"] = "1"
        return "a"

    assert ask(returning(make)) == Answer(201, "application/json", b'"a"', [("X-A", "1")])


@pytest.mark.parametrize(
    ("content_type", "output", "body"),
    [
        ("image/png", b"\x89", b"\x89"),
        ("text/html; charset=utf-8", "<b>ö</b>", "<b>ö</b>".encode()),
        ("application/ld+json", "a", b'"a"'),
        ("application/ld+json", {"a": 1}, b'{"a":1}'),
        ("text/plain", 3, b"3"),
    ],
)
def test_a_content_type_of_its_own_takes_the_place_of_the_usual_one(
    content_type: str, output: Any, body: bytes
) -> None:
    context = Context()
    context.response_headers["content-TYPE"] = content_type
    assert answer_to(output, context) == Answer(200, content_type, body)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_that_has_no_body_gets_none(status: int) -> None:
    context = Context()
    context.status = status
    assert answer_to({"a": 1}, context) == Answer(status, "", b"")


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (Response(b"\x89", 201, {"X-A": "1"}, "image/png"), (201, "image/png", b"\x89")),
        (HTMLResponse("ö"), (200, "text/html; charset=utf-8", "ö".encode())),
        (JSONResponse({"a": 1}), (200, "application/json", b'{"a":1}')),
        (Response(status_code=204), (204, "", b"")),
    ],
)
def test_a_response_is_sent_as_it_is(response: Response, answer: tuple[Any, ...]) -> None:
    context = Context()
    context.status = 404
    context.response_headers["X-B"] = "1"
    headers = [("x-a", "1")] if "x-a" in response.headers else []
    status, content_type, body = answer
    assert answer_to(response, context) == Answer(status, content_type, body, headers)


def test_a_response_keeps_each_of_its_cookies() -> None:
    response = Response()
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    reply = answer_to(response, Context())
    assert isinstance(reply, Answer)
    assert [name for name, _ in reply.headers] == ["set-cookie", "set-cookie"]


def stream() -> Iterator[int]:
    yield 1


async def async_stream() -> AsyncIterator[int]:
    yield 1


async def later() -> int:
    return 1


def itself() -> Any:
    array = Array(None)
    array._rows = array
    return array


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (object, "builtins.object cannot be written as JSON"),
        (lambda: {"a": [object()]}, "builtins.object cannot be written as JSON"),
        (lambda: {(1, 2): 3}, "cannot be written as JSON"),
        (lambda: "\ud800", "cannot be written as JSON"),
        (itself, "cannot be written as JSON"),
        (stream, "make the hook itself a generator"),
        (async_stream, "make the hook itself a generator"),
        (lambda: StreamingResponse([b"a"]), "StreamingResponse is a stream"),
        (lambda: Response(background=BackgroundTask(print)), "background task"),
        (later, "later gave a coroutine: write the hook as `async def`"),
    ],
)
def test_what_cannot_be_sent_fails_its_request_and_the_log_says_why(
    make: Callable[[], Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CannotAnswer, match=why):
        answer_to(make(), Context())
    found = fault(returning(lambda _context: make()))
    detail = "what predict returned cannot be sent; see the server's log under this request id"
    assert found == Fault(500, "hook_failed", detail)
    assert "request r-1: predict: " in caplog.text
    assert why in caplog.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nX-B: 2"),
        ("X-A", "1\n"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("", "1"),
        ("X-A", "\u20ac"),
        ("X-A", "\x00"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
    ],
)
def test_a_header_that_could_break_the_response_is_refused(name: str, value: str) -> None:
    context = Context()
    context.response_headers[name] = value
    with pytest.raises(CannotAnswer):
        answer_to("a", context)


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.sampled_from([output for output, _ in JSON_OUTPUTS])
    | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(ODD, st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2))
def test_every_reply_can_travel(output: Any, headers: dict[str, str]) -> None:
    def make(context: Context) -> Any:
        context.response_headers = headers
        return output

    assert travels(ask(returning(make)))


@given(
    st.integers(200, 599),
    st.text(st.characters(codec=None)) | st.none() | st.dictionaries(st.text(), st.text()),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.integers(), max_size=2),
)
def test_every_error_of_a_hook_can_travel(status: int, detail: Any, headers: Any) -> None:
    def make(_context: Context) -> Any:
        raise HTTPError(status, detail, headers)

    assert travels(ask(returning(make)))


def travels(reply: Reply) -> bool:
    packed = msgspec.msgpack.encode([reply])
    return msgspec.msgpack.decode(packed, type=list[Reply]) == [reply]
