"""How a form is read: files, fields, and what is no form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import BadRequest
from headrace.model.api import Model
from headrace.model.envelope import Fault, Reply
from headrace.model.parts import MOST_PARTS, split
from headrace.model.types import Upload
from tests.model.making import ask, fault

TYPE = "multipart/form-data; boundary=XX"


def part(
    name: str, body: bytes | str, filename: str | None = None, content_type: str | None = None
) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"'
    head += "" if filename is None else f'; filename="{filename}"'
    head += "" if content_type is None else f"\r\nContent-Type: {content_type}"
    raw = body.encode() if isinstance(body, str) else body
    return f"--XX\r\n{head}\r\n\r\n".encode() + raw + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XX--\r\n"


def told(upload: Upload | None) -> Any:
    return upload and [upload.filename, upload.content_type, upload.data.decode("latin-1")]


class One(Model):
    def predict(self, image: Upload) -> Any:
        return told(image)


class Maybe(Model):
    def predict(self, image: Upload | None) -> Any:
        return told(image)


class Defaulted(Model):
    def predict(self, image: Upload | None = None) -> Any:
        return told(image)


class Many(Model):
    def predict(self, images: list[Upload]) -> Any:
        return [told(image) for image in images]


class Batch(Model):
    def predict_batch(self, images: list[Upload]) -> Any:
        return [told(image) for image in images]


class Fields(Model):
    def predict(self, image: Upload, top_k: int, raw: bytes = b"", *, exact: bool = False) -> Any:
        return [image.filename, top_k, len(raw), exact]


class Loose(Model):
    def predict(self, note: str, image: Upload | None, more: list[Upload]) -> Any:
        more.append(Upload("own", "a/b", b""))
        return [note, told(image), len(more)]


class Boxes(Model):
    def predict(self, image: Upload, boxes: list[tuple[int, int]]) -> Any:
        return boxes


FILE = part("image", b"\xff\x00", "a.png", "image/png")


@pytest.mark.parametrize(
    ("cls", "body", "answer"),
    [
        (One, form(FILE), ["a.png", "image/png", "\xff\x00"]),
        (One, form(part("x", "1"), part("any", "b", "b")), ["b", "application/octet-stream", "b"]),
        (One, form(part("image", "", "empty")), ["empty", "application/octet-stream", ""]),
        (
            One,
            form(part("i", "b", "../../etc/passwd")),
            ["passwd", "application/octet-stream", "b"],
        ),
        (One, form(part("i", "b", "größe")), ["größe", "application/octet-stream", "b"]),
        (Maybe, form(FILE), ["a.png", "image/png", "\xff\x00"]),
        (Maybe, form(part("image", "", "")), None),
        (Defaulted, form(part("x", "1")), None),
        (Many, form(FILE, FILE), [["a.png", "image/png", "\xff\x00"]] * 2),
        (Many, form(part("x", "1")), []),
        (Batch, form(FILE), ["a.png", "image/png", "\xff\x00"]),
        (Fields, form(FILE, part("top_k", "3")), ["a.png", 3, 0, False]),
        (
            Fields,
            form(part("exact", "true"), part("raw", b"\xff"), part("top_k", "3"), FILE),
            ["a.png", 3, 1, True],
        ),
        (Loose, form(part("note", "7")), ["7", None, 1]),
        (Loose, form(part("note", "a"), FILE, part("more", "b", "b")), None),
        (Boxes, form(FILE, part("boxes", "[[1,2]]", None, "application/json")), [[1, 2]]),
    ],
)
def test_a_form_becomes_what_the_annotations_say(cls: type, body: bytes, answer: Any) -> None:
    import json

    reply = ask(cls, body, TYPE)
    assert isinstance(reply, bytes), reply
    wanted = (
        ["a", ["a.png", "image/png", "\xff\x00"], 2] if cls is Loose and FILE in body else answer
    )
    assert json.loads(reply) == wanted


@pytest.mark.parametrize(
    ("cls", "body", "words", "path"),
    [
        (One, form(part("image", "1")), "the form has no field `image`", "$"),
        (One, form(FILE, FILE), "one is wanted, 2 came", "$.image"),
        (Maybe, form(FILE, FILE), "one is wanted, 2 came", "$.image"),
        (Fields, form(FILE), "no field `top_k`; send a form: curl -F image=@file", "$"),
        (Fields, form(part("top_k", "3")), "no field `image`", "$"),
        (Fields, form(FILE, part("top_k", "x")), "Expected `int`, got `str`", "$.top_k"),
        (Fields, form(part("image", "x"), part("top_k", "3")), "a file is wanted", "$.image"),
        (Fields, form(FILE, part("k", "3")), "unknown field `k`", "$"),
        (Fields, form(FILE, part("top_k", "3"), part("top_k", "3")), "2 came", "$.top_k"),
        (Fields, form(FILE, part("top_k", b"\xff")), "utf-8", "$.top_k"),
        (Boxes, form(FILE, part("boxes", "[1]", None, "application/json")), "array", "$.boxes[0]"),
    ],
)
def test_a_wrong_form_is_a_422(cls: type, body: bytes, words: str, path: str) -> None:
    found = fault(cls, body, TYPE)
    assert (found.status, found.path) == (422, path)
    assert words in found.detail


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"", None, 400, "the body is empty; send a form: curl -F image=@file"),
        (b"{}", "application/json", 415, "send a form: curl -F image=@file"),
        (b"{}", None, 415, "send a form"),
        (form(FILE), "multipart/form-data", 400, "no boundary"),
        (form(FILE), 'multipart/form-data; boundary="' + "x" * 300 + '"', 400, "Boundary"),
        (b"nonsense", TYPE, 400, "not valid multipart"),
        (b"", TYPE, 400, "ends too early"),
        (FILE, TYPE, 400, "ends too early"),
        (form(FILE)[:-4], TYPE, 400, "ends too early"),
        (form(part("", "a")), TYPE, 400, "has no name"),
        (b"--XX\r\nX-A: 1\r\n\r\na\r\n--XX--\r\n", TYPE, 400, "has no name"),
        (form(part("a", "a", "x" * 10_000)), TYPE, 400, "header size"),
        (form(part("a", "a") * (MOST_PARTS + 1)), TYPE, 400, "more than 1000 parts"),
    ],
)
def test_what_is_no_form_is_refused(
    body: bytes, content_type: str | None, status: int, words: str
) -> None:
    found = fault(One, body, content_type)
    assert found.status == status
    assert words in found.detail


@given(
    st.lists(
        st.tuples(
            st.text("abcÄ_", min_size=1), st.none() | st.text("abcÄ."), st.binary(max_size=60)
        ),
        max_size=8,
    )
)
def test_parts_are_cut_where_they_were_joined(rows: list[tuple[str, str | None, bytes]]) -> None:
    rows = [row for row in rows if b"--XX" not in row[2]]
    found = split(TYPE, form(*(part(name, body, filename) for name, filename, body in rows)))
    assert [(p.name, p.filename, p.body) for p in found] == rows


@given(st.binary(max_size=80), st.integers(0, 200))
def test_no_form_makes_the_reader_stumble(noise: bytes, place: int) -> None:
    whole = form(FILE, part("top_k", "3"))
    reply: Reply = ask(Fields, whole[:place] + noise + whole[place:], TYPE)
    assert not isinstance(reply, Fault) or 400 <= reply.status < 500


def test_a_part_cut_short_is_never_taken_for_a_whole_one() -> None:
    whole = form(FILE)
    for end in range(len(whole) - len("--\r\n")):
        with pytest.raises(BadRequest):
            split(TYPE, whole[:end])
