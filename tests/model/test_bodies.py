"""How a body is read: every type, good and bad."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.api import Model
from headrace.model.envelope import Fault
from headrace.model.types import Request
from tests.model.making import ask, fault, plan_of, run
from tests.model.making import envelope as sent

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Board:
    size: int
    rows: list[str] = field(default_factory=list)


class Typed(TypedDict):
    size: int


class Named(NamedTuple):
    x: int
    y: int


class Struct(msgspec.Struct):
    size: int


def taking(annotation: Any) -> type[Model]:
    """Make a model whose one parameter is annotated so, answering its repr."""

    class Taking(Model):
        def predict(self, x: Any) -> str:
            return repr(x)

    Taking.predict.__annotations__["x"] = annotation
    return Taking


class Echo(Model):
    def predict(self, x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as users may
        return x


class Text(Model):
    def predict(self, text: str) -> str:
        return text


class Raw(Model):
    def predict(self, body: bytes) -> int:
        return len(body)


class Fields(Model):
    def predict(self, text: str, top_k: int = 5, *, exact: bool = False) -> list[object]:
        return [text, top_k, exact]


class AllOptional(Model):
    def predict(self, text: str = "a", tags: list[str] = []) -> list[object]:  # noqa: B006
        tags.append("seen")
        return [text, tags]


class OneOptional(Model):
    def predict(self, tags: list[str] = []) -> list[str]:  # noqa: B006 - as users may
        tags.append("seen")
        return tags


class Nothing(Model):
    def predict(self) -> str:
        return "hello"


class PositionalOnly(Model):
    def predict(self, a: int, b: int = 2, /, **_: object) -> list[int]:
        return [a, b]


class KeywordOnly(Model):
    def predict(self, *, a: int) -> int:
        return a


class ContextFirst(Model):
    def predict(self, context: dict[str, Any], a: int, b: int) -> list[Any]:
        return [a, b, context]


class Static(Model):
    @staticmethod
    def predict(x: int) -> int:
        return x


class OfClass(Model):
    @classmethod
    def predict(cls, x: int) -> list[object]:
        return [cls.__name__, x]


class Called:
    def __call__(self, x: int) -> int:
        return x


class Object(Model):
    predict = Called()


@pytest.mark.parametrize(
    ("annotation", "body", "read"),
    [
        (Any, "[1, null]", "[1, None]"),
        (object, "{}", "{}"),
        (int, "3", "3"),
        (float, "3", "3.0"),
        (bool, "true", "True"),
        (None, "null", "None"),
        (str, '"a"', "'a'"),
        (int | None, "null", "None"),
        (int | str, '"a"', "'a'"),
        (list, "[1]", "[1]"),
        (list[int], "[1]", "[1]"),
        (Sequence[float], "[1]", "[1.0]"),
        (tuple[int, str], '[1, "a"]', "(1, 'a')"),
        (set[int], "[1, 1]", "{1}"),
        (dict[str, int], '{"a": 1}', "{'a': 1}"),
        (Literal["a", "b"], '"b"', "'b'"),
        (Colour, '"red"', "<Colour.RED: 'red'>"),
        (Board, '{"size": 3}', "Board(size=3, rows=[])"),
        (Typed, '{"size": 3}', "{'size': 3}"),
        (Named, "[1, 2]", "Named(x=1, y=2)"),
        (Struct, '{"size": 3, "more": 1}', "Struct(size=3)"),
        (dt.date, '"2024-02-29"', "datetime.date(2024, 2, 29)"),
        (Annotated[int, msgspec.Meta(gt=2)], "3", "3"),
        (bytes, "raw", "b'raw'"),
    ],
)
def test_a_body_becomes_what_the_annotation_says(annotation: Any, body: str, read: str) -> None:
    assert ask(taking(annotation), body) == json.dumps(read).encode()


@pytest.mark.parametrize(
    ("annotation", "body", "detail", "path"),
    [
        (int, '"a"', "Expected `int`, got `str`", "$"),
        (int, "1.5", "Expected `int`, got `float`", "$"),
        (list[int], '[1, "a"]', "Expected `int`, got `str`", "$[1]"),
        (dict[str, list[int]], '{"a": ["b"]}', "Expected `int`, got `str`", "$[...][0]"),
        (dict[int, int], '{"a": 1}', "Expected `int`, got `str`", "$"),
        (Board, "{}", "Object missing required field `size`", "$"),
        (Board, '{"size": 1, "rows": [1]}', "Expected `str`, got `int`", "$.rows[0]"),
        (list[Typed], "[{}]", "Object missing required field `size`", "$[0]"),
        (Colour, '"blue"', "Invalid enum value 'blue'", "$"),
        (Annotated[int, msgspec.Meta(gt=2)], "2", "Expected `int` >= 3", "$"),
        (Any, "9" * 5000, "Integer value out of range", "$"),
    ],
)
def test_a_wrong_type_is_a_422_with_the_path_of_the_fault(
    annotation: Any, body: str, detail: str, path: str
) -> None:
    assert fault(taking(annotation), body) == Fault(422, "validation_error", detail, path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": xx}', "invalid character (byte 6)"),
        (b"1 2", "trailing characters (byte 3)"),
        (b'{"a": [1, 2', "it ends too early (byte 11)"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"nul", "the body is not valid JSON"),
    ],
)
def test_invalid_json_is_a_400_that_says_where(body: bytes, words: str) -> None:
    for cls in (Echo, Fields, taking(Colour)):
        found = fault(cls, body)
        assert (found.status, found.code) == (400, "bad_request")
        assert words in found.detail


@pytest.mark.parametrize(
    ("cls", "mend"),
    [
        (Text, "curl --json '\"text\"', or text: curl -H 'Content-Type: text/plain'"),
        (Fields, 'curl --json \'{"text": "text"}\''),
        (taking(list[float]), "curl --json '[1.5]'"),
        (taking(bool | None), "curl --json 'true'"),
        (taking(Literal["a", "b"]), "curl --json '\"a\"'"),
        (taking(Board), "curl --json '{}'"),
        (Echo, "curl --json '{}'"),
    ],
)
def test_an_empty_body_and_curls_default_type_are_told_what_to_send(
    cls: type[Model], mend: str
) -> None:
    for content_type in (None, "application/json", "application/x-www-form-urlencoded"):
        empty = fault(cls, b"", content_type)
        assert (empty.status, empty.detail.startswith("the body is empty; send JSON:")) == (
            400,
            True,
        )
        assert mend in empty.detail
    form = fault(cls, b"a=1", "application/x-www-form-urlencoded")
    assert (form.status, form.code) == (415, "unsupported_media_type")
    assert mend in form.detail


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=us-ascii",
        "application/ld+json",
        "application/problem+json; v=1",
    ],
)
def test_json_goes_by_many_names(content_type: str | None) -> None:
    assert ask(Echo, "[1]", content_type) == b"[1]"
    assert ask(Text, '"a"', content_type) == b'"a"'


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "image/png",
        "multipart/form-data; boundary=x",
        "",
        "application/json; charset=utf-16",
    ],
)
def test_another_media_type_is_a_415(content_type: str) -> None:
    assert fault(Echo, "[1]", content_type).status == 415


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("größe".encode(), "text/plain", "größe"),
        ("größe".encode("latin-1"), "text/plain; charset=latin-1", "größe"),
        (b'"quoted"', "text/plain", '"quoted"'),
        (b"", "text/plain", ""),
        (b"# a", "text/markdown", "# a"),
        (b'"a"', "application/json", "a"),
        (b'"a"', None, "a"),
    ],
)
def test_text_is_taken_as_it_is_or_from_json(
    body: bytes, content_type: str | None, text: str
) -> None:
    assert ask(Text, body, content_type) == json.dumps(text, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\xff", "text/plain", 400),
        (b"a", "text/plain; charset=klingon", 415),
        (b"a", "image/png", 415),
        (b"a", None, 400),
        (b"3", "application/json", 422),
    ],
)
def test_what_is_no_text_is_refused(body: bytes, content_type: str | None, status: int) -> None:
    assert fault(Text, body, content_type).status == status


@pytest.mark.parametrize("content_type", [None, "image/png", "application/json", ""])
def test_bytes_are_the_raw_body_whatever_its_type(content_type: str | None) -> None:
    assert ask(Raw, b"\x00\xff", content_type) == b"2"
    assert ask(Raw, b"", content_type) == b"0"


@pytest.mark.parametrize(
    ("cls", "body", "answer"),
    [
        (Fields, {"text": "a"}, ["a", 5, False]),
        (Fields, {"exact": True, "top_k": 1, "text": "a"}, ["a", 1, True]),
        (PositionalOnly, {"a": 1}, [1, 2]),
        (PositionalOnly, {"b": 3, "a": 1}, [1, 3]),
        (KeywordOnly, 3, 3),
        (ContextFirst, {"a": 1, "b": 2}, [1, 2, {}]),
        (Static, 3, 3),
        (OfClass, 3, ["OfClass", 3]),
        (Object, 3, 3),
    ],
)
def test_parameters_are_filled_by_name(cls: type[Model], body: object, answer: object) -> None:
    reply = ask(cls, json.dumps(body))
    assert isinstance(reply, bytes)
    assert json.loads(reply) == answer


@pytest.mark.parametrize(
    ("body", "detail", "path"),
    [
        ("{}", "Object missing required field `text`", "$"),
        ('{"text": 1}', "Expected `str`, got `int`", "$.text"),
        ('{"text": "a", "top_k": null}', "Expected `int`, got `null`", "$.top_k"),
        ('{"text": "a", "topk": 1}', "Object contains unknown field `topk`", "$"),
        ("[]", "Expected `object`, got `array`", "$"),
    ],
)
def test_a_wrong_field_is_a_422(body: str, detail: str, path: str) -> None:
    assert fault(Fields, body) == Fault(422, "validation_error", detail, path)


def test_a_model_that_takes_nothing_reads_nothing() -> None:
    assert ask(Nothing, b"\xff", "image/png") == b'"hello"'


@pytest.mark.parametrize(
    ("cls", "body", "answer"),
    [
        (AllOptional, b"", b'["a",["seen"]]'),
        (AllOptional, b"{}", b'["a",["seen"]]'),
        (OneOptional, b"", b'["seen"]'),
    ],
)
def test_defaults_stand_for_an_empty_body_and_are_never_shared(
    cls: type[Model], body: bytes, answer: bytes
) -> None:
    assert run(plan_of(cls), [sent(body, None)] * 3) == [answer] * 3


@given(JSON_VALUES)
def test_any_json_comes_back_as_it_went(value: Any) -> None:
    reply = ask(Echo, msgspec.json.encode(value))
    assert isinstance(reply, bytes)
    assert json.loads(reply) == value


@given(st.binary(max_size=40), st.sampled_from([None, "application/json", "text/plain", "a/b"]))
def test_no_body_makes_a_reader_stumble(body: bytes, content_type: str | None) -> None:
    for cls in (Echo, Text, Raw, Fields, AllOptional):
        reply = ask(cls, body, content_type)
        assert not isinstance(reply, Fault) or 400 <= reply.status < 500


class Asks(Model):
    async def predict(self, request: Request) -> list[Any]:
        return [request.method, request.headers["x-a"], (await request.body()).decode()]


class AsksSync(Model):
    def decode_request(self, request: Request) -> str:
        return request.query_params["q"]

    def predict(self, q: str) -> str:
        return q


def test_a_model_may_take_the_whole_request() -> None:
    whole = sent(b"body", "a/b", headers=[(b"x-a", b"1")], query=b"q=2")
    assert run(plan_of(Asks), [whole]) == [b'["POST","1","body"]']
    assert run(plan_of(AsksSync), [whole]) == [b'"2"']
    assert plan_of(Asks).wants_head
    assert plan_of(AsksSync).wants_head


def test_a_rule_of_the_users_own_is_a_422_too() -> None:
    assert ask(taking(Checked), '{"size": 3}') == b'"Checked(size=3)"'
    assert fault(taking(Checked), '{"size": -1}').detail == "size is negative"


@dataclass
class Checked:
    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size is negative")
