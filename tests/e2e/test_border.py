"""Every type goes in and out over a real socket, and a bad value is told to who sent it."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.e2e.serving import PATIENCE_S, Program, served

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

NPY = "application/x-npy"
KEY = "00000000-0000-0000-0000-000000000001"


def npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(values))
    return file.getvalue()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 3)).save(file, "PNG")
    return file.getvalue()


def as_if_of(side: int, png: bytes) -> bytes:
    """Let a small PNG say that it is a huge one."""
    chunk = b"IHDR" + side.to_bytes(4, "big") * 2 + png[24:29]
    return png[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + png[33:]


PNG = picture()
BOMB = as_if_of(60_000, PNG)
IN_JSON = base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def border() -> Iterator[Program]:
    with served("border.py") as server:
        yield server


def post(server: Program, path: str, body: Any, media: str | None) -> httpx2.Response:
    """Send bytes as they are, a dict of files as a form, anything else as JSON."""
    url = f"{server.url}/{path}"
    if media == "form":
        return httpx2.post(url, timeout=PATIENCE_S, **body)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if media is None else {"Content-Type": media}
    return httpx2.post(url, content=raw, headers=headers, timeout=PATIENCE_S)


JSON = "application/json"
GOOD: list[tuple[str, Any, str | None, Any]] = [
    ("text", "a", JSON, "a"),
    ("text", "größe".encode(), "text/plain", "größe"),
    (
        "dates",
        {"at": "2024-02-29T01:02:03Z", "day": "2024-02-29", "key": KEY},
        JSON,
        {"at": "2024-02-29T01:02:03Z", "day": "2024-02-29", "key": KEY},
    ),
    ("exact", {"price": "1.50"}, JSON, ["1.50", "red"]),
    ("sets", ["a", "b", "a"], JSON, [2]),
    ("mappings", {"a": 1}, JSON, {"a": 1}),
    ("points", [{"x": 1}, {"x": 2, "y": 3}], JSON, {"x": 2, "y": 3}),
    ("structs", {"n": 1}, JSON, {"n": 1}),
    ("boards", {"size": 3}, JSON, {"size": 3}),
    ("moves", [{"x": 1, "tags": ["a"]}], JSON, {"x": 1, "tags": ["a"]}),
    ("arrays", [[1, 2], [3, 4]], JSON, [[0.5, 1.0], [1.5, 2.0]]),
    ("arrays", npy([1.0, 2.0]), NPY, [0.5, 1.0]),
    ("arrays", npy([1.0, 2.0]), "application/octet-stream", [0.5, 1.0]),
    ("arrays", npy([[np.nan]]), NPY, [[None]]),
    ("uploads", {"files": [("files", ("a", b"1")), ("files", ("b", b"2"))]}, "form", ["a", "b"]),
    (
        "form",
        {"files": {"image": ("a.png", PNG)}, "data": {"note": "hi"}},
        "form",
        [[2, 3], "hi", None, None, 5],
    ),
    (
        "form",
        {
            "files": {"image": ("a.png", PNG), "mask": ("m.npy", npy([True]))},
            "data": {"note": "hi", "move": '{"x": 1}', "top_k": "2"},
        },
        "form",
        [[2, 3], "hi", {"x": 1, "tags": []}, [True], 2],
    ),
    (
        "form",
        {"image": IN_JSON, "note": "hi", "mask": [False], "move": {"x": 1}},
        JSON,
        [[2, 3], "hi", {"x": 1, "tags": []}, [False], 5],
    ),
    ("answers", "nan", JSON, [None, {"a": [None, 1.0]}, None]),
    ("answers", "none", JSON, None),
]


@pytest.mark.parametrize(("path", "body", "media", "answer"), GOOD)
def test_a_good_value_goes_in_and_its_answer_out(
    border: Program, path: str, body: Any, media: str | None, answer: Any
) -> None:
    reply = post(border, path, body, media)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == JSON
    assert reply.json() == answer


BAD: list[tuple[str, Any, str | None, int, str, str | None]] = [
    ("text", 3, JSON, 422, "Expected `str`", "$"),
    ("dates", {"at": "x", "day": "2024-02-29", "key": KEY}, JSON, 422, "Invalid RFC3339", "$.at"),
    (
        "dates",
        {"at": "2024-02-29T01:02:03Z", "day": 3, "key": KEY},
        JSON,
        422,
        "Expected `date`",
        "$.day",
    ),
    ("exact", {"price": "a"}, JSON, 422, "Invalid decimal", "$.price"),
    ("exact", {"price": 1, "colour": "blue"}, JSON, 422, "Invalid enum value", "$.colour"),
    ("sets", {"a": 1}, JSON, 422, "Expected `array`", "$"),
    ("mappings", {"a": "b"}, JSON, 422, "Expected `int`", "$[...]"),
    ("points", [{"x": 1}, {"y": 1}], JSON, 422, "missing required field `x`", "$[1]"),
    ("structs", {"n": "a"}, JSON, 422, "Expected `int`", "$.n"),
    ("boards", {"size": 1}, JSON, 422, "'size' must be > 2", "$"),
    ("moves", [{"x": 1}, {"x": 1, "tags": [2]}], JSON, 422, "valid string", "$[1].tags[0]"),
    ("moves", b"[{", JSON, 400, "ends too early", None),
    ("arrays", [[1], [2, 3]], JSON, 422, "unequal lengths", "$"),
    ("arrays", ["a"], JSON, 422, "an array of float32 is wanted", "$"),
    ("arrays", b"[NaN]", JSON, 400, "not valid JSON", None),
    ("arrays", npy([1.0])[:-1], NPY, 422, "not as long as its header says", "$"),
    ("arrays", b"x", "image/png", 415, "curl --data-binary @x.npy", None),
    ("images", b"x", "image/png", 422, "cannot be decoded as an image", "$"),
    ("images", PNG, "text/plain", 415, "curl --data-binary @image.png", None),
    ("images", b"", None, 400, "the body is empty", None),
    ("images", BOMB, "image/png", 413, "the image has more than", None),
    ("uploads", [1], JSON, 415, "send a form: curl -F files=@file", None),
    ("form", {"files": {"image": ("a.png", b"x")}, "data": {"note": "a"}}, "form", 422, "decoded",
     "$.image"),
    ("form", {"files": {"image": ("a.png", PNG)}}, "form", 422, "no field `note`", "$"),
    ("rows", b"", "text/x-rows", 422, "no rows", "$"),
    ("rows", b"a", "text/plain", 415, "Content-Type: text/x-rows", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "media", "status", "words", "place"), BAD)
def test_a_bad_value_is_told_with_its_place_and_the_mend(
    border: Program,
    path: str,
    body: Any,
    media: str | None,
    status: int,
    words: str,
    place: str | None,
) -> None:
    reply = post(border, path, body, media)
    told = reply.json()
    assert (reply.status_code, told.get("path")) == (status, place), told
    assert reply.headers["content-type"] == "application/problem+json"
    assert words in told["detail"]


def test_what_is_no_json_goes_out_as_what_it_is(border: Program) -> None:
    raw = post(border, "raw", b"\x00\xff", None)
    assert (raw.headers["content-type"], raw.content) == ("application/octet-stream", b"\x00\xff")
    array = post(border, "npy", [1, 2], None)
    assert array.headers["content-type"] == NPY
    assert np.load(io.BytesIO(array.content)).tolist() == [0.5, 1.0]
    number = post(border, "npy", 1, None)
    assert np.load(io.BytesIO(number.content)).tolist() == 0.5
    turned = post(border, "images", PNG, "image/png")
    assert turned.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(turned.content)).size == (3, 2)
    jpeg = post(border, "jpeg", {"files": {"any": ("a.png", PNG)}}, "form")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(jpeg.content)).format == "JPEG"
    rows = post(border, "rows", b"a/b", "text/x-rows")
    assert (rows.headers["content-type"], rows.content) == ("text/x-bars", b"a|b")
    response = post(border, "answers", "response", JSON)
    assert (response.status_code, response.content) == (201, b"<b>")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["x-a"] == "1"


def test_what_cannot_be_written_is_its_requests_500_and_the_log_names_the_type(
    border: Program,
) -> None:
    reply = post(border, "answers", "object", JSON)
    assert (reply.status_code, reply.json()["code"]) == (500, "hook_failed")
    label = reply.headers["x-request-id"]
    border.wait_for_line(f"request {label}: predict: builtins.object cannot be written as JSON")
