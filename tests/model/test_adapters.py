"""Decode and Encode: a user's own ways in and out."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from starlette.responses import Response

from headrace.errors import HTTPError, TooLarge
from headrace.model.adapters import Decode, Encode
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.envelope import Answer
from headrace.model.types import Upload
from tests.model.making import ask, envelope, fault, plan_of, run
from tests.model.test_forms import TYPE, form, part

if TYPE_CHECKING:
    from nowhere import Later  # type: ignore[import-not-found]


class Board:
    def __init__(self, rows: list[str]) -> None:
        self.rows = rows


def parse_board(body: bytes) -> Board:
    if not body:
        raise ValueError("no rows")
    if body == b"huge":
        raise TooLarge("the board is huge")
    if body == b"oops":
        raise KeyError("secret")
    return Board(body.decode().split("/"))


def parse_typed(body: bytes, content_type: str) -> list[str]:
    return [body.decode(), content_type]


def parse_optional(body: bytes, content_type: str = "") -> list[str]:
    return [body.decode(), content_type]


def parse_sized(body: bytes, size: int = 3) -> int:
    return len(body) + size


def silent(body: bytes) -> None:
    raise ValueError


def render(board: Board) -> bytes:
    if board.rows == ["no"]:
        raise HTTPError(404, "no such board")
    if board.rows == ["oops"]:
        raise KeyError("secret")
    if board.rows == ["wrong"]:
        return 3  # type: ignore[return-value] # what is wrong with it
    return "\n".join(board.rows).encode()


def as_html(board: Board) -> str:
    return "<br>".join(board.rows)


Read = Annotated[Board, Decode(parse_board)]
Narrow = Annotated[Board, Decode(parse_board, "text/x-board", "image/*")]


class One(Model):
    def predict(self, board: Read) -> list[str]:
        return board.rows


class Typed(Model):
    def predict(self, x: Annotated[Any, Decode(parse_typed)]) -> Any:
        return x


class Optional(Model):
    def predict(self, x: Annotated[Any, Decode(parse_optional)]) -> Any:
        return x


class Sized(Model):
    def predict(self, x: Annotated[int, Decode(parse_sized)]) -> Any:
        return x


class Narrowed(Model):
    def predict(self, board: Narrow) -> list[str]:
        return board.rows


class Silent(Model):
    def predict(self, x: Annotated[None, Decode(silent)]) -> None:
        return x


class WithDefault(Model):
    def predict(self, board: Annotated[Board | None, Decode(parse_board)] = None) -> Any:
        return board and board.rows


class Batch(Model):
    def predict_batch(self, boards: list[Read]) -> list[Annotated[Board, Encode(render, "a/b")]]:
        return boards


class Decodes(Model):
    def decode_request(self, board: Read) -> list[str]:
        return board.rows

    def predict(self, rows: list[str]) -> list[str]:
        return rows

    def encode_response(self, output: list[str]) -> Annotated[Board, Encode(render, "a/b")]:
        return Board(output)


class Fields(Model):
    def predict(self, board: Read, k: int = 1, more: Annotated[Any, Decode(json.loads)] = 0) -> Any:
        return [board.rows, k, more]


class Form(Model):
    def predict(self, photo: Upload, board: Read) -> Any:
        return [photo.filename, board.rows]


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "answer"),
    [
        (One, b"a/b", None, ["a", "b"]),
        (One, b"a/b", "anything/at-all", ["a", "b"]),
        (Typed, b"a", "text/x; v=1", ["a", "text/x; v=1"]),
        (Typed, b"a", None, ["a", "application/octet-stream"]),
        (Optional, b"a", "text/x", ["a", "text/x"]),
        (Sized, b"a", None, 4),
        (Narrowed, b"a", "Text/X-Board; v=1", ["a"]),
        (Narrowed, b"a", "image/png", ["a"]),
        (WithDefault, b"", None, None),
        (WithDefault, b"a", None, ["a"]),
        (Fields, b'{"board": 3}', None, [["3"], 1, 0]),
        (Fields, b'{"board": 3, "k": 2, "more": {"a": [1]}}', None, [["3"], 2, {"a": [1]}]),
        (
            Fields,
            form(part("board", "a/b", "b.txt"), part("more", "[1]")),
            TYPE,
            [["a", "b"], 1, [1]],
        ),
        (
            Form,
            form(part("photo", "x", "a.png"), part("board", "a/b")),
            TYPE,
            ["a.png", ["a", "b"]],
        ),
    ],
)
def test_a_parser_reads_what_its_parameter_gets(
    cls: type[Model], body: bytes, content_type: str | None, answer: Any
) -> None:
    reply = ask(cls, body, content_type)
    assert isinstance(reply, bytes), reply
    assert json.loads(reply) == answer


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "status", "words", "path"),
    [
        (One, b"", None, 422, "no rows", "$"),
        (One, b"\xff", None, 422, "utf-8", "$"),
        (One, b"huge", None, 413, "the board is huge", None),
        (One, b"oops", None, 500, "reading the body raised KeyError", None),
        (Silent, b"", None, 422, "silent cannot read it", "$"),
        (Narrowed, b"a", "text/plain", 415, "Content-Type: text/x-board", None),
        (Narrowed, b"a", None, 415, "Content-Type: text/x-board", None),
        (Fields, b'{"board": 3, "more": 2, "x": 1}', None, 422, "unknown field `x`", "$"),
        (Fields, b"{}", None, 422, "required field `board`", "$"),
        (
            Form,
            form(part("photo", "x", "a.png"), part("board", "")),
            TYPE,
            422,
            "no rows",
            "$.board",
        ),
        (Fields, form(part("board", "a"), part("more", "{")), TYPE, 422, "Expecting", "$.more"),
    ],
)
def test_what_a_parser_refuses_is_the_callers_fault(
    cls: type[Model],
    body: bytes,
    content_type: str | None,
    status: int,
    words: str,
    path: str | None,
) -> None:
    found = fault(cls, body, content_type)
    assert (found.status, found.path) == (status, path), found
    assert words in found.detail
    assert "secret" not in found.detail


class Renders(Model):
    def predict(self, rows: list[str]) -> Annotated[Board, Encode(render, "text/x-board")]:
        return Board(rows)


class Html(Model):
    def predict(self, rows: list[str]) -> Annotated[Board, Encode(as_html, "text/html")]:
        return Board(rows)


class Untyped(Model):
    def predict(self, rows: list[str]) -> Annotated[Board, Encode(render)]:
        return Board(rows)


class UntypedText(Model):
    def predict(self, rows: list[str]) -> Annotated[Board, Encode(as_html)]:
        return Board(rows)


class Plain(Model):
    def predict(self, rows: list[str]) -> Annotated[str, Encode(..., "text/plain")]:
        return ",".join(rows)


class Raw(Model):
    def predict(self, rows: list[str]) -> Annotated[bytes, Encode(..., "audio/wav")]:
        return rows[0].encode()


class Geo(Model):
    def predict(self, rows: list[str]) -> Annotated[Any, Encode(..., "application/geo+json")]:
        return {"rows": rows}


class Buffer(Model):
    def predict(self, rows: list[str]) -> Annotated[Any, Encode(bytearray, "a/b")]:
        return rows[0].encode()


class Escapes(Model):
    def predict(self, rows: list[str]) -> Annotated[Any, Encode(render, "a/b")]:
        return Response(b"x", 201, media_type="c/d")


class Sets(Model):
    def predict(
        self, rows: list[str], context: Context
    ) -> Annotated[Board, Encode(render, "text/x-board")]:
        context.status = 201
        context.response_headers["Content-Type"] = "text/y"
        return Board(rows)


class Told(Model):
    if TYPE_CHECKING:
        predict: Any
    else:

        def predict(self, rows: list[str]) -> Later:
            return rows


@pytest.mark.parametrize(
    ("cls", "answer"),
    [
        (Renders, Answer(200, "text/x-board", b"a\nb")),
        (Html, Answer(200, "text/html; charset=utf-8", b"a<br>b")),
        (Untyped, Answer(200, "application/octet-stream", b"a\nb")),
        (UntypedText, Answer(200, "text/plain; charset=utf-8", b"a<br>b")),
        (Plain, Answer(200, "text/plain; charset=utf-8", b"a,b")),
        (Raw, Answer(200, "audio/wav", b"a")),
        (Geo, Answer(200, "application/geo+json", b'{"rows":["a","b"]}')),
        (Buffer, Answer(200, "a/b", b"a")),
        (Escapes, Answer(201, "c/d", b"x")),
        (Sets, Answer(201, "text/y", b"a\nb")),
        (Told, b'["a","b"]'),
    ],
)
def test_a_result_is_written_as_its_annotation_says(cls: type[Model], answer: Any) -> None:
    assert ask(cls, '["a", "b"]') == answer


def test_a_batch_has_its_adapters_on_the_items() -> None:
    replies = run(plan_of(Batch), [envelope("a/b", None), envelope("", None), envelope("no", None)])
    assert replies[0] == Answer(200, "a/b", b"a\nb")
    assert [getattr(reply, "status", None) for reply in replies] == [200, 422, 404]


def test_decode_request_and_encode_response_have_theirs() -> None:
    assert ask(Decodes, "a/b", None) == Answer(200, "a/b", b"a\nb")


@pytest.mark.parametrize(
    ("row", "status", "logged"),
    [
        ("no", 404, ""),
        ("oops", 500, "render raised KeyError"),
        ("wrong", 500, "render returned int, not bytes or str"),
    ],
)
def test_a_renderer_that_fails_fails_its_request(
    row: str, status: int, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = fault(Renders, json.dumps([row]))
    assert found.status == status
    assert "secret" not in found.detail
    assert logged in caplog.text


class NotAPlainText(Model):
    def predict(self, x: int) -> Annotated[Any, Encode(..., "text/plain")]:
        return x


def test_what_our_own_way_cannot_write_is_a_500_that_names_the_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert fault(NotAPlainText, "1").status == 500
    assert "builtins.int is no text/plain" in caplog.text


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (Decode(parse_board, "a/b"), "Decode(parse_board, 'a/b')"),
        (Encode(..., "image/jpeg"), "Encode(..., 'image/jpeg')"),
        (Encode(functools.partial(render), "a/b"), "functools.partial"),
    ],
)
def test_an_adapter_tells_what_it_is(adapter: Any, words: str) -> None:
    assert words in repr(adapter)
