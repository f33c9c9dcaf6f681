"""numpy at the border: what becomes an array, what does not, and how one is written."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from headrace.errors import ConfigError
from headrace.memory.slots import view_of
from headrace.model.adapters import Encode
from headrace.model.answers import answer_to
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.envelope import Answer, Fault
from tests.model.making import ask, fault, plan_of
from tests.model.test_forms import TYPE, form, part

NPY = "application/x-npy"
Array = NDArray[Any]


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def told(array: Any) -> Any:
    return array if array is None else [str(array.dtype), list(array.shape), array]


def taking(annotation: Any) -> type[Model]:
    class Taking(Model):
        def predict(self, x: Any) -> Any:
            return told(x)

    Taking.predict.__annotations__["x"] = annotation
    return Taking


@pytest.mark.parametrize(
    ("annotation", "body", "dtype", "shape"),
    [
        (np.ndarray, "[[1, 2], [3, 4]]", "int64", [2, 2]),
        (np.ndarray, "[1, 2.5]", "float64", [2]),
        (np.ndarray, "[]", "float64", [0]),
        (np.ndarray, "3", "int64", []),
        (np.ndarray | None, "[true]", "bool", [1]),
        (NDArray[np.float32], "[[1, 2.5]]", "float32", [1, 2]),
        (NDArray[np.uint8], "[0, 255]", "uint8", [2]),
        (NDArray[np.int32], "[]", "int32", [0]),
        (NDArray[np.bool_], "[true, false]", "bool", [2]),
        (NDArray[np.floating[Any]], "[1, 2]", "float64", [2]),
        (NDArray[np.number[Any]], "[1, 2]", "int64", [2]),
        (NDArray[np.str_], '["a", "bc"]', "<U2", [2]),
    ],
)
def test_lists_become_an_array(annotation: Any, body: str, dtype: str, shape: list[int]) -> None:
    reply = ask(taking(annotation), body)
    assert isinstance(reply, bytes), reply
    assert json.loads(reply) == [dtype, shape, json.loads(body)]


@pytest.mark.parametrize(
    ("annotation", "body", "words"),
    [
        (np.ndarray, "[[1, 2], [3]]", "unequal lengths"),
        (np.ndarray, "[[1, 2], 3]", "unequal lengths"),
        (np.ndarray, '["a"]', "one of text came"),
        (np.ndarray, '[1, "a"]', "numbers is wanted"),
        (np.ndarray, "[1, null]", "numbers is wanted"),
        (np.ndarray, "null", "numbers is wanted"),
        (np.ndarray, '{"a": 1}', "numbers is wanted"),
        (np.float32, "null", "`float32` is wanted, `NoneType` came"),
        (np.float32, '"a"', "`float32` is wanted, `str` came"),
        (np.int8, "300", "out of range for int8"),
        (np.int8, "1.5", "an array of int8 is wanted"),
        (np.ndarray, f"[{2**70}]", "numbers is wanted"),
        (NDArray[np.int32], "[1.5]", "an array of int32 is wanted, one of float64 came"),
        (NDArray[np.int32], f"[{2**40}]", "out of range for int32"),
        (NDArray[np.uint8], "[256]", "out of range for uint8"),
        (NDArray[np.uint8], "[-1]", "out of range for uint8"),
        (NDArray[np.bool_], "[1]", "an array of bool is wanted"),
        (NDArray[np.float32], '["1"]', "an array of float32 is wanted"),
        (NDArray[np.str_], "[1]", "an array of str is wanted"),
    ],
)
def test_what_is_no_such_array_is_a_422(annotation: Any, body: str, words: str) -> None:
    found = fault(taking(annotation), body)
    assert (found.status, found.path) == (422, "$")
    assert words in found.detail


@pytest.mark.parametrize("content_type", [NPY, "application/octet-stream", "application/npy", None])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array([1, 2], ">i4"),
        np.zeros((0, 3), np.float32),
        np.array(3.5),
        np.array([True]),
    ],
)
def test_npy_bytes_become_the_array_they_were(array: Array, content_type: str | None) -> None:
    seen: list[Array] = []

    class Keeps(Model):
        def predict(self, x: np.ndarray) -> None:  # as users may
            seen.append(x)
            x += x  # it is the model's own: it can be written

    assert ask(Keeps, npy(array), content_type) == b"null"
    assert seen[0].dtype == array.dtype.newbyteorder("=")
    assert seen[0].shape == array.shape
    assert np.array_equal(seen[0], array + array)


def header(text: str) -> bytes:
    raw = text.encode()
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw


WHOLE = npy(np.arange(3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (WHOLE[:-1], "not as long as its header says"),
        (WHOLE + b"x", "not as long as its header says"),
        (WHOLE[:20], "not the bytes of a .npy file"),
        (b"\x93NUMPY\x09\x00" + WHOLE[8:], "version"),
        (b"[1, 2]", "not the bytes of a .npy file"),
        (npy(np.array(["2024"], "M8[D]")), "dtype datetime64[D] is not read"),
        (npy(np.array([{}], object)), "dtype object is not read"),
        (npy(np.zeros(1, [("a", int)])), "is not read"),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"),
            "not as long as its header says",
        ),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n"), "header"),
    ],
)
def test_broken_or_dangerous_npy_is_a_422(body: bytes, words: str) -> None:
    found = fault(taking(np.ndarray), body, NPY)
    assert found.status == 422
    assert words in found.detail


@given(st.binary(max_size=30), st.integers(0, 140))
def test_no_npy_makes_the_reader_stumble(noise: bytes, place: int) -> None:
    reply = ask(taking(np.ndarray), WHOLE[:place] + noise + WHOLE[place + len(noise) :], NPY)
    assert not isinstance(reply, Fault) or 400 <= reply.status < 500


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"", None, 400, "the body is empty; send JSON: curl --json"),
        (b"", NPY, 400, "x.npy"),
        (b"[1", None, 400, "not valid JSON"),
        (b"[NaN]", None, 400, "not valid JSON"),
        (b"a", "image/png", 415, "application/x-npy"),
    ],
)
def test_what_cannot_be_read_says_what_to_send(
    body: bytes, content_type: str | None, status: int, words: str
) -> None:
    found = fault(taking(NDArray[np.float32]), body, content_type)
    assert found.status == status
    assert words in found.detail


@dataclass
class Point:
    at: NDArray[np.float32]
    weight: np.float32 = np.float32(1)  # noqa: RUF009 - a number, immutable


class Fields(Model):
    def predict(
        self, x: NDArray[np.float32], top_k: int = 3, mask: NDArray[np.bool_] | None = None
    ) -> Any:
        return [told(x), top_k, told(mask)]


class Defaults(Model):
    def predict(self, x: NDArray[np.int64] = np.zeros(2, np.int64), k: int = 1) -> Any:  # noqa: B008
        x += k
        return x


class Batch(Model):
    def predict_batch(self, xs: list[NDArray[np.float32]]) -> Array:
        return np.stack(xs) * 2


class Points(Model):
    def predict(self, points: list[Point]) -> Any:
        return [[str(p.at.dtype), float(p.weight), type(p.weight).__name__] for p in points]


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "answer"),
    [
        (Fields, b'{"x": [1]}', None, [["float32", [1], [1.0]], 3, None]),
        (
            Fields,
            b'{"x": [1], "mask": [true], "top_k": 1}',
            None,
            [["float32", [1], [1.0]], 1, ["bool", [1], [True]]],
        ),
        (
            Fields,
            form(part("x", npy(np.ones(2)), "x.npy"), part("top_k", "7")),
            TYPE,
            [["float32", [2], [1.0, 1.0]], 7, None],
        ),
        (
            Fields,
            form(part("x", "[1]"), part("mask", "null")),
            TYPE,
            [["float32", [1], [1.0]], 3, None],
        ),
        (Defaults, b"", None, [1, 1]),
        (Defaults, b'{"k": 2}', None, [2, 2]),
        (Batch, b"[1, 2]", None, [2.0, 4.0]),
        (Points, b'[{"at": [1]}]', None, [["float32", 1.0, "float32"]]),
        (Points, b'[{"at": [1], "weight": 0.5}]', None, [["float32", 0.5, "float32"]]),
    ],
)
def test_arrays_are_fields_items_and_members_too(
    cls: type[Model], body: bytes, content_type: str | None, answer: Any
) -> None:
    for _ in range(2):  # a default is never shared
        reply = ask(cls, body, content_type)
        assert isinstance(reply, bytes), reply
        assert json.loads(reply) == answer


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "path"),
    [
        (Fields, b'{"x": [1, [2]]}', None, "$.x"),
        (Fields, form(part("x", "nonsense")), TYPE, "$.x"),
        (Fields, form(part("x", WHOLE[:-1], "x.npy")), TYPE, "$.x"),
        (Points, b'[{"at": ["a"]}]', None, "$[0].at"),
        (Points, b'[{"at": [], "weight": [1]}]', None, "$[0].weight"),
    ],
)
def test_the_path_leads_to_the_array_that_is_wrong(
    cls: type[Model], body: bytes, content_type: str | None, path: str
) -> None:
    found = fault(cls, body, content_type)
    assert (found.status, found.path) == (422, path), found


def test_a_dtype_that_cannot_be_read_is_told_at_load() -> None:
    with pytest.raises(ConfigError, match="arrays of datetime64 are not read"):
        plan_of(taking(NDArray[np.datetime64]))


@pytest.mark.parametrize(
    ("output", "read"),
    [
        (np.array([[1, 2], [3, 4]], np.uint8), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan, np.inf, -np.inf], np.float32), [0.5, None, None, None]),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),  # noqa: FBT003 - the value under test
        (np.array(3), 3),
        (np.array(["a"]), ["a"]),
        (np.array(["2024-02-29", "NaT"], "M8[ns]"), ["2024-02-29T00:00:00.000000000", None]),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (np.datetime64("NaT"), None),
        ({"a": np.arange(2), "b": [np.int8(1)]}, {"a": [0, 1], "b": [1]}),
        ({np.int64(1): 2, np.str_("a"): 3}, {"1": 2, "a": 3}),
        (Point(np.zeros(1, np.float32)), {"at": [0.0], "weight": 1.0}),
    ],
)
def test_arrays_and_numbers_are_written_as_lists_and_numbers(output: Any, read: Any) -> None:
    reply = answer_to(output, Context())
    assert isinstance(reply, bytes)
    assert json.loads(reply) == read


@given(st.lists(st.floats(width=32), max_size=5))
def test_every_float_is_written_or_is_null(values: list[float]) -> None:
    array = np.array(values, np.float32)
    reply = answer_to(array, Context())
    assert isinstance(reply, bytes)
    back = [np.nan if v is None else v for v in msgspec.json.decode(reply)]
    assert np.array_equal(
        np.array(back), np.where(np.isfinite(array), array, np.nan), equal_nan=True
    )


class AsNpy(Model):
    def predict(self, x: NDArray[np.int64]) -> Annotated[Array, Encode(..., NPY)]:
        return x * 2


class BatchAsNpy(Model):
    def predict_batch(
        self, xs: list[NDArray[np.int64]]
    ) -> list[Annotated[Array, Encode(..., NPY)]]:
        return [x * 2 for x in xs]


@pytest.mark.parametrize("cls", [AsNpy, BatchAsNpy])
def test_an_array_is_written_as_npy_where_the_result_says_so(cls: type[Model]) -> None:
    reply = ask(cls, "[1, 2]")
    assert isinstance(reply, Answer)
    assert reply.content_type == NPY
    assert np.array_equal(np.load(io.BytesIO(view_of(reply.body))), [2, 4])


def test_a_model_without_arrays_imports_no_numpy() -> None:
    script = (
        "import sys, datetime as dt\n"
        "from headrace.model.api import Model\n"
        "from headrace.model.served import describe\n"
        "class M(Model):\n"
        "    def predict(self, x: dict[str, dt.date], k: int = 1) -> bytes: ...\n"
        "from headrace.model.hooks import compile_plan\n"
        "from headrace.model.deployment import options_of\n"
        "compile_plan(M, options_of(M))\n"
        "heavy = {'numpy', 'PIL', 'pydantic', 'attrs', 'starlette'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    env = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)
