"""pydantic and attrs at the border: each validates its own, and a fault is told with its place."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

from headrace.errors import ConfigError
from headrace.model.answers import answer_to
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.types import Upload
from tests.model.making import ask, fault, plan_of
from tests.model.test_forms import TYPE, form, part


class Move(pydantic.BaseModel):
    x: int
    tags: list[str] = []

    @pydantic.field_validator("x")
    @classmethod
    def inside(cls, x: int) -> int:
        if x > 9:
            raise ValueError("x is off the board")
        return x


class Game(pydantic.BaseModel):
    moves: list[Move]
    at: dt.date | None = None
    score: float = 0.0


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    at: dt.datetime


class Circle(pydantic.BaseModel):
    kind: Literal["circle"]
    r: float


class Square(pydantic.BaseModel):
    kind: Literal["square"]
    a: float


@pydantic.dataclasses.dataclass
class Ruled:
    n: Annotated[int, pydantic.Field(gt=2)]


@dataclass
class Holder:
    move: Move


class Typed(TypedDict):
    n: Annotated[int, pydantic.Field(gt=2)]


@attrs.define
class Board:
    size: int = attrs.field(validator=attrs.validators.gt(2))
    rows: list[str] = attrs.field(factory=list)


@attrs.define
class BoardWithMove:
    move: Strict
    n: int = 1


class StructWithRule(msgspec.Struct):
    n: Annotated[int, pydantic.Field(gt=2)]


Shape = Annotated[Circle | Square, pydantic.Field(discriminator="kind")]


def taking(annotation: Any) -> type[Model]:
    class Taking(Model):
        def predict(self, x: Any) -> str:
            return repr(x)

    Taking.predict.__annotations__["x"] = annotation
    return Taking


@pytest.mark.parametrize(
    ("annotation", "body", "read"),
    [
        (Move, '{"x": 1}', "Move(x=1, tags=[])"),
        (Move, '{"x": "1"}', "Move(x=1, tags=[])"),
        (Move | None, "null", "None"),
        (list[Move], '[{"x": 1}]', "[Move(x=1, tags=[])]"),
        (dict[str, Move], '{"a": {"x": 1}}', "{'a': Move(x=1, tags=[])}"),
        (tuple[Move, int], '[{"x": 1}, 2]', "(Move(x=1, tags=[]), 2)"),
        (Shape, '{"kind": "square", "a": 1}', "Square(kind='square', a=1.0)"),
        (Circle | Square, '{"kind": "square", "a": 1}', "Square(kind='square', a=1.0)"),
        (Ruled, '{"n": 3}', "Ruled(n=3)"),
        (Holder, '{"move": {"x": 1}}', "Holder(move=Move(x=1, tags=[]))"),
        (Typed, '{"n": 3}', "{'n': 3}"),
        (pydantic.PositiveInt, "3", "3"),
        (Board, '{"size": 3}', "Board(size=3, rows=[])"),
        (list[Board], '[{"size": 3, "rows": ["a"]}]', "[Board(size=3, rows=['a'])]"),
        (
            BoardWithMove,
            '{"move": {"at": "2024-02-29T00:00:00"}}',
            "BoardWithMove(move=Strict(at=datetime.datetime(2024, 2, 29, 0, 0)), n=1)",
        ),
    ],
)
def test_a_body_is_validated_by_whose_type_it_is(annotation: Any, body: str, read: str) -> None:
    assert ask(taking(annotation), body) == msgspec.json.encode(read)


@pytest.mark.parametrize(
    ("annotation", "body", "words", "path"),
    [
        (Move, '{"x": "a"}', "valid integer", "$.x"),
        (Move, "{}", "Field required", "$.x"),
        (Move, "[]", "should be an object", "$"),
        (Move, '{"x": 10}', "Value error, x is off the board", "$.x"),
        (Game, '{"moves": [{"x": 1}, {"x": 1, "tags": [1]}]}', "string", "$.moves[1].tags[0]"),
        (
            Game,
            '{"moves": [{"x": "a"}, {}]}',
            "(and further faults at $.moves[1].x)",
            "$.moves[0].x",
        ),
        (list[Move], '[{"x": 1}, {"x": "a"}]', "valid integer", "$[1].x"),
        (Shape, '{"kind": "oval"}', "expected tags: 'circle', 'square'", "$"),
        (Ruled, '{"n": 1}', "greater than 2", "$.n"),
        (Holder, '{"move": {}}', "Field required", "$.move.x"),
        (Typed, '{"n": 1}', "greater than 2", "$.n"),
        (pydantic.PositiveInt, "-3", "greater than 0", "$"),
        (Board, '{"size": 1}', "'size' must be > 2", "$"),
        (list[Board], '[{"size": 3, "rows": [1]}]', "Expected `str`", "$[0].rows[0]"),
        (BoardWithMove, '{"move": {"at": 1}}', "datetime", "$.move.at"),
        (BoardWithMove, '{"n": 1}', "required field `move`", "$"),
    ],
)
def test_a_fault_is_a_422_with_its_path(annotation: Any, body: str, words: str, path: str) -> None:
    found = fault(taking(annotation), body)
    assert (found.status, found.code, found.path) == (422, "validation_error", path), found
    assert words in found.detail
    assert "http" not in found.detail  # links to another project's pages help nobody here


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        ("", None, 400, "the body is empty; send JSON"),
        ('{"moves": [', None, 400, "it ends too early"),
        ('{"moves": 1} 2', None, 400, "trailing characters"),
        ('{"moves": [], "score": NaN}', None, 400, "not valid JSON"),
        ('{"moves": [], "score": -Infinity}', None, 400, "not valid JSON"),
        (b'{"moves": "\xff"}', None, 400, "not UTF-8"),
        ("{}", "text/plain", 415, "curl --json"),
        ("{}", "application/json; charset=utf-16", 415, "UTF-8 only"),
    ],
)
def test_what_is_no_json_is_told_as_everywhere(
    body: str, content_type: str | None, status: int, words: str
) -> None:
    found = fault(taking(Game), body, content_type)
    assert found.status == status
    assert words in found.detail


def test_the_word_nan_may_stand_in_a_text() -> None:
    assert ask(taking(Move), '{"x": 1, "tags": ["NaN"]}') == b"\"Move(x=1, tags=['NaN'])\""


class Fields(Model):
    def predict(
        self, move: Move, board: Board, depth: pydantic.PositiveInt = 3, shape: Shape | None = None
    ) -> Any:
        return [move, board, depth, shape]


class Form(Model):
    def predict(
        self, photo: Upload, move: Move, depth: pydantic.PositiveInt = 3, board: Board | None = None
    ) -> Any:
        return [move, depth, board]


class Defaults(Model):
    def predict(self, move: Move = Move(x=1), k: int = 1) -> Any:  # noqa: B008
        move.tags.append("seen")
        return move


PHOTO = part("photo", "x", "a.png")


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "answer"),
    [
        (
            Fields,
            '{"move": {"x": 1}, "board": {"size": 3}}',
            None,
            [{"x": 1, "tags": []}, {"size": 3, "rows": []}, 3, None],
        ),
        (
            Fields,
            json.dumps(
                {
                    "move": {"x": 1},
                    "board": {"size": 3},
                    "depth": 1,
                    "shape": {"kind": "circle", "r": 1},
                }
            ),
            None,
            [{"x": 1, "tags": []}, {"size": 3, "rows": []}, 1, {"kind": "circle", "r": 1.0}],
        ),
        (
            Form,
            form(PHOTO, part("move", '{"x": 1}'), part("depth", "4")),
            TYPE,
            [{"x": 1, "tags": []}, 4, None],
        ),
        (
            Form,
            form(
                PHOTO,
                part("move", '{"x": 1}', None, "application/json"),
                part("board", '{"size": 3}'),
            ),
            TYPE,
            [{"x": 1, "tags": []}, 3, {"size": 3, "rows": []}],
        ),
        (Defaults, "", None, {"x": 1, "tags": ["seen"]}),
        (Defaults, "{}", None, {"x": 1, "tags": ["seen"]}),
    ],
)
def test_models_are_fields_too(
    cls: type[Model], body: Any, content_type: str | None, answer: Any
) -> None:
    for _ in range(2):  # a default is never shared
        reply = ask(cls, body, content_type)
        assert isinstance(reply, bytes), reply
        assert json.loads(reply) == answer


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "path"),
    [
        (Fields, '{"move": {"x": "a"}, "board": {"size": 3}}', None, "$.move.x"),
        (Fields, '{"move": {"x": 1}, "board": {"size": 1}}', None, "$.board"),
        (Fields, '{"move": {"x": 1}, "board": {"size": 3}, "depth": 0}', None, "$.depth"),
        (Form, form(PHOTO, part("move", '{"x": "a"}')), TYPE, "$.move.x"),
        (Form, form(PHOTO, part("move", "a")), TYPE, "$.move"),
        (Form, form(PHOTO, part("move", b"\xff")), TYPE, "$.move"),
        (Form, form(PHOTO, part("move", '{"x": 1}'), part("depth", "0")), TYPE, "$.depth"),
    ],
)
def test_the_path_leads_into_the_field(
    cls: type[Model], body: Any, content_type: str | None, path: str
) -> None:
    found = fault(cls, body, content_type)
    assert (found.status, found.path) == (422, path), found


def test_a_rule_that_nobody_would_look_at_is_told_at_load() -> None:
    with pytest.raises(ConfigError, match="pydantic: Unable to generate"):
        plan_of(taking(StructWithRule))


def test_a_union_of_strangers_is_told_at_load() -> None:
    with pytest.raises(ConfigError, match="which this version cannot read"):
        plan_of(taking(Move | Board))


class Computed(pydantic.BaseModel):
    x: float
    when: dt.date = dt.date(2024, 2, 29)

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> float:
        return self.x * 2


class Constants(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_inf_nan="constants")
    x: float


@pytest.mark.parametrize(
    ("output", "read"),
    [
        (Computed(x=1), {"x": 1.0, "when": "2024-02-29", "double": 2.0}),
        (Computed(x=float("nan")), {"x": None, "when": "2024-02-29", "double": None}),
        (Constants(x=float("inf")), {"x": None}),
        ([Move(x=1)], [{"x": 1, "tags": []}]),
        ({"a": Holder(Move(x=1))}, {"a": {"move": {"x": 1, "tags": []}}}),
        (Ruled(3), {"n": 3}),
        (Board(3, ["a"]), {"size": 3, "rows": ["a"]}),
        (pydantic.RootModel[list[int]]([1]), [1]),
    ],
)
def test_models_are_written_by_their_own_rules_and_nan_is_null(output: Any, read: Any) -> None:
    reply = answer_to(output, Context())
    assert isinstance(reply, bytes)
    assert json.loads(reply) == read
