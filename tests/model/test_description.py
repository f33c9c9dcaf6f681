"""A model is described by the annotations that read its bodies."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.responses import Response

import headrace as hr
from headrace.model.description import Description, described
from headrace.model.references import added
from headrace.model.served import describe

JSON, FORM, NPY, BYTES = (
    "application/json",
    "multipart/form-data",
    "application/x-npy",
    "application/octet-stream",
)


class Move(pydantic.BaseModel):
    x: int = pydantic.Field(alias="ex")


class Tree(pydantic.BaseModel):
    below: list[Tree] = []


def parse(body: bytes) -> int:
    return len(body)


def render(output: Any) -> str:
    return str(output)


def taking(annotation: Any, default: Any = ...) -> Description:
    class Taking(hr.Model):
        def predict(self, value: Any, /) -> Any:
            return value

    Taking.predict.__annotations__["value"] = annotation
    if default is not ...:
        Taking.predict.__defaults__ = (default,)
    return described(Taking)


def giving(annotation: Any) -> Description:
    class Giving(hr.Model):
        def predict(self) -> Any:
            return None

    Giving.predict.__annotations__["return"] = annotation
    return described(Giving)


@pytest.mark.parametrize(
    ("annotation", "media"),
    [
        (int, [JSON]),
        (Any, [JSON]),
        (str, [JSON, "text/plain"]),
        (bytes, ["*/*"]),
        (hr.Request, ["*/*"]),
        (Move, [JSON]),
        (NDArray[np.float32], [JSON, NPY, BYTES]),
        (NDArray[np.float32] | None, [JSON, NPY, BYTES]),
        (Image.Image, ["image/*", FORM, BYTES, JSON]),
        (list[hr.Upload], [FORM]),
        (Annotated[int, hr.Decode(parse)], ["*/*"]),
        (Annotated[int, hr.Decode(parse, "text/a", "text/b")], ["text/a", "text/b"]),
    ],
)
def test_a_body_may_be_sent_in_each_way_it_is_read(annotation: Any, media: list[str]) -> None:
    assert list(taking(annotation).body or ()) == media


@pytest.mark.parametrize(
    ("annotation", "media"),
    [
        (int, JSON),
        (Any, JSON),
        (None, JSON),
        (NDArray[np.float32], JSON),
        (bytes, BYTES),
        (memoryview, BYTES),
        (Image.Image, "image/png"),
        (Response, "*/*"),
        (Annotated[int, hr.Encode(render, "text/html")], "text/html"),
        (Annotated[int, hr.Encode(render)], "*/*"),
        (Annotated[NDArray[np.int8], hr.Encode(..., NPY)], NPY),
    ],
)
def test_an_answer_is_told_by_its_annotation(annotation: Any, media: str) -> None:
    assert list(giving(annotation).answer) == [media]


@pytest.mark.parametrize("odd", [object, "a name nobody knows", type(pytest), complex, Ellipsis])
def test_an_answer_that_nobody_can_describe_is_any_json(odd: Any) -> None:
    assert giving(odd).answer == {JSON: {}}


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (np.float32, {"type": "number"}),
        (np.uint8, {"type": "integer", "minimum": 0, "maximum": 255}),
        (np.bool_, {"type": "boolean"}),
        (np.str_, {"type": "string"}),
    ],
)
def test_an_array_is_lists_of_lists_of_its_numbers(kind: Any, number: dict[str, Any]) -> None:
    told = taking(np.ndarray[Any, np.dtype[kind]])
    ((name, array),) = told.named.items()
    here = {"$ref": f"#/components/schemas/{name}"}
    assert (told.body or {})[JSON] == here
    assert array["anyOf"] == [{"type": "array", "items": here}, number]


def test_a_model_of_a_notebooks_dataclass_is_described_and_travels_by_value() -> None:
    kind = dataclasses.make_dataclass("Kind", [("value", int)])

    class Cell(hr.Model):
        def predict(self, value: Any) -> Any:
            return value

    Cell.predict.__annotations__["value"] = kind
    served = describe(Cell)
    assert served.source.pickled
    assert list(served.description.named) == ["Kind"]


def test_a_moment_is_told_as_one() -> None:
    told = taking(dt.datetime).body
    assert told == {JSON: {"type": "string", "format": "date-time"}}


def test_a_number_that_is_none_goes_out_as_null() -> None:
    assert giving(np.float32).answer == {JSON: {"type": ["number", "null"]}}


def test_pydantic_is_read_by_its_aliases_and_written_by_its_names() -> None:
    assert list(taking(Move).named["Move"]["properties"]) == ["ex"]
    assert list(giving(list[Move]).named["Move"]["properties"]) == ["x"]
    assert taking(Tree).body == {JSON: {"$ref": "#/components/schemas/Tree"}}


def test_fields_have_their_defaults_and_files_come_first_in_a_form() -> None:
    class Fields(hr.Model):
        def predict(
            self,
            image: Image.Image,
            note: str,
            top_k: int = 5,
            mask: NDArray[np.bool_] | None = None,
        ) -> dict[str, float]:
            return {}

    told = described(Fields)
    body = told.body or {}
    assert list(body) == [FORM, JSON]
    assert told.body_required
    for schema in body.values():
        assert schema["required"] == ["image", "note"]
        assert schema["properties"]["top_k"] == {"type": "integer", "default": 5}
        assert schema["additionalProperties"] is False
    assert body[FORM]["properties"]["image"]["format"] == "binary"
    assert body[FORM]["properties"]["mask"]["contentMediaType"] == NPY
    assert body[JSON]["properties"]["image"]["contentEncoding"] == "base64"


def test_a_form_may_leave_out_files_that_may_be_none() -> None:
    class Files(hr.Model):
        def predict(self, one: hr.Upload, maybe: hr.Upload | None, many: list[hr.Upload]) -> None:
            return None

    (form,) = (described(Files).body or {}).values()
    assert form["required"] == ["one"]


def test_a_field_with_a_decode_is_any_json() -> None:
    class Own(hr.Model):
        def predict(self, own: Annotated[int, hr.Decode(parse, "text/a")], n: int = 1) -> int:
            return own

    body = described(Own).body or {}
    assert body[JSON]["properties"]["own"] == {}
    assert body[FORM]["properties"]["own"]["contentMediaType"] == "text/a"


def test_a_batch_is_described_by_one_item() -> None:
    class Batch(hr.Model):
        def predict_batch(self, inputs: list[int]) -> list[bytes]:
            return [b"" for _ in inputs]

    told = described(Batch)
    assert told.body == {JSON: {"type": "integer"}}
    assert told.answer == {BYTES: {}}


def test_the_outer_hooks_describe_what_goes_in_and_out() -> None:
    class Three(hr.Model):
        def decode_request(self, request: str) -> int:
            return len(request)

        def predict(self, n: int) -> float:
            return n / 2

        def encode_response(self, output: float) -> bool:
            return bool(output)

    told = described(Three)
    assert (told.body or {})[JSON] == {"type": "string"}
    assert told.answer == {JSON: {"type": "boolean"}}


def test_a_body_with_a_default_need_not_come_and_nothing_needs_no_body() -> None:
    told = taking(int, 3)
    assert not told.body_required
    assert told.body == {JSON: {"type": "integer", "default": 3}}
    assert giving(int).body is None


def test_a_default_that_json_has_no_word_for_is_left_out() -> None:
    assert taking(Any, object()).body == {JSON: {}}


def test_a_class_is_told_in_its_authors_words_else_in_its_hooks() -> None:
    class Named(hr.Model):
        """Say hello.

        To whoever asks.
        """

        def predict(self) -> None:
            """Say nothing."""

    class Unnamed(Named):
        def predict(self) -> None:
            """Say nothing."""

    told = described(Named)
    assert (told.summary, told.text) == ("Say hello.", "To whoever asks.")
    assert described(Unnamed).summary == "Say nothing."


def test_a_name_never_stands_for_two_things() -> None:
    taken: dict[str, Any] = {}
    ref = {"$ref": "#/components/schemas/A"}
    below = {"A": {"items": {"$ref": "#/components/schemas/B"}}}
    first = added(taken, [ref], {**below, "B": {"type": "integer"}}, "one")
    same = added(taken, [ref], {**below, "B": {"type": "integer"}}, "two")
    other = added(taken, [ref], {**below, "B": {"type": "string"}}, "three")
    assert first == same == [ref]
    assert other == [{"$ref": "#/components/schemas/A.three"}]
    assert taken["A.three"] == {"items": {"$ref": "#/components/schemas/B.three"}}
    assert taken["B"] == {"type": "integer"}
