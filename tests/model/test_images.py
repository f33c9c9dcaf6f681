"""Pillow at the border: images from bodies, forms and base64; never a bomb; back as files."""

from __future__ import annotations

import base64
import io
import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headrace.errors import ConfigError
from headrace.memory.slots import view_of
from headrace.model.adapters import Encode
from headrace.model.answers import answer_to
from headrace.model.api import Model
from headrace.model.context import Context
from headrace.model.envelope import Answer, Fault
from tests.model.making import ask, fault, plan_of
from tests.model.test_forms import TYPE, form, part


def file_of(size: tuple[int, int] = (2, 3), kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


PNG = file_of()
IN_JSON = base64.b64encode(PNG).decode()


def told(image: Image.Image | None) -> Any:
    return image and [*image.size, image.format]


class One(Model):
    def predict(self, image: Image.Image) -> Any:
        return told(image)


class Maybe(Model):
    def predict(self, image: Image.Image | None) -> Any:
        return told(image)


class Many(Model):
    def predict(self, images: list[Image.Image]) -> Any:
        return [told(image) for image in images]


class Batch(Model):
    def predict_batch(self, images: list[Image.Image]) -> Any:
        return [told(image) for image in images]


class Fields(Model):
    def predict(
        self, image: Image.Image, top_k: int = 3, mask: Image.Image | None = None
    ) -> list[Any]:
        return [told(image), top_k, told(mask)]


ONE = [2, 3, "PNG"]


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "answer"),
    [
        (One, PNG, "image/png", ONE),
        (One, PNG, "image/*", ONE),
        (One, PNG, "application/octet-stream", ONE),
        (One, PNG, None, ONE),
        (One, file_of(kind="JPEG"), "image/png", [2, 3, "JPEG"]),
        (One, file_of(kind="WEBP"), "image/webp", [2, 3, "WEBP"]),
        (One, file_of(kind="TIFF"), "image/tiff", [2, 3, "TIFF"]),
        (One, form(part("any", PNG, "a.png")), TYPE, ONE),
        (One, json.dumps(IN_JSON), "application/json", ONE),
        (Maybe, b"", None, None),
        (Maybe, b"null", "application/json", None),
        (Maybe, PNG, None, ONE),
        (Many, form(part("a", PNG, "a.png"), part("b", PNG, "b.png")), TYPE, [ONE, ONE]),
        (Many, json.dumps([IN_JSON]), "application/json", [ONE]),
        (Many, PNG, "image/png", [ONE]),
        (Batch, PNG, "image/png", ONE),
        (Fields, form(part("image", PNG, "a.png")), TYPE, [ONE, 3, None]),
        (
            Fields,
            form(part("mask", PNG, "a.png"), part("image", PNG, "a.png"), part("top_k", "1")),
            TYPE,
            [ONE, 1, ONE],
        ),
        (
            Fields,
            json.dumps({"image": IN_JSON, "top_k": 2}),
            "application/json",
            [ONE, 2, None],
        ),
    ],
)
def test_an_image_is_read_wherever_it_comes(
    cls: type[Model], body: Any, content_type: str | None, answer: Any
) -> None:
    reply = ask(cls, body, content_type)
    assert isinstance(reply, bytes), reply
    assert json.loads(reply) == answer


@pytest.mark.parametrize(
    ("cls", "body", "content_type", "status", "words", "path"),
    [
        (One, b"", None, 400, "curl --data-binary @image.png", None),
        (One, b"no image", "image/png", 422, "cannot be decoded as an image", "$"),
        (One, PNG[:-20], "image/png", 422, "cannot be decoded as an image", "$"),
        (One, b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/eps", 422, "cannot be decoded", "$"),
        (One, PNG, "text/plain", 415, "Content-Type: image/png", None),
        (One, PNG, "application/x-www-form-urlencoded", 415, "-F image=@image.png", None),
        (One, '"%%%"', "application/json", 422, "not base64", "$"),
        (One, "3", "application/json", 422, "base64 is wanted, a int came", "$"),
        (One, "{", "application/json", 400, "not valid JSON", None),
        (One, form(part("a", "x")), TYPE, 422, "no field `image`", "$"),
        (One, form(part("a", PNG, "a"), part("b", PNG, "b")), TYPE, 422, "2 came", "$.image"),
        (Many, form(part("a", PNG, "a"), part("b", "x", "b")), TYPE, 422, "decoded", "$.images[1]"),
        (Many, json.dumps([IN_JSON, "x"]), "application/json", 422, "not base64", "$[1]"),
        (Fields, form(part("image", "x", "a")), TYPE, 422, "decoded", "$.image"),
        (Fields, json.dumps({"image": "eA=="}), "application/json", 422, "decoded", "$.image"),
        (Fields, b"", None, 400, "or a form: curl -F image=@file -F top_k=...", None),
    ],
)
def test_what_is_no_image_says_what_to_send(
    cls: type[Model], body: Any, content_type: str | None, status: int, words: str, path: str | None
) -> None:
    found = fault(cls, body, content_type)
    assert (found.status, found.path) == (status, path), found
    assert words in found.detail


@pytest.mark.parametrize("limit", [5, 2])  # over it Pillow warns, over twice it refuses
@pytest.mark.parametrize("filtered", ["error", "ignore"])
def test_a_bomb_is_a_413(limit: int, filtered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter(filtered)
        found = fault(One, PNG, "image/png")
        assert (found.status, found.code) == (413, "too_large")
        assert fault(Fields, form(part("image", PNG, "a")), TYPE).status == 413
        assert fault(One, json.dumps(IN_JSON)).status == 413


def test_a_small_file_with_a_huge_picture_is_a_413() -> None:
    chunk = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    import zlib

    bomb = PNG[:8] + b"\x00\x00\x00\x0d" + chunk + zlib.crc32(chunk).to_bytes(4, "big") + PNG[33:]
    assert fault(One, bomb, "image/png").status == 413


@given(st.binary(max_size=30), st.integers(0, 80))
def test_no_image_makes_the_reader_stumble(noise: bytes, place: int) -> None:
    reply = ask(One, PNG[:place] + noise + PNG[place + len(noise) :], "image/png")
    assert not isinstance(reply, Fault) or 400 <= reply.status < 500


class Jpeg(Model):
    def predict(self, mode: str) -> Annotated[Image.Image, Encode(..., "image/jpeg")]:
        return Image.new(mode, (4, 5))


class JpegBatch(Model):
    def predict_batch(
        self, modes: list[str]
    ) -> list[Annotated[Image.Image, Encode(..., "image/jpeg")]]:
        return [Image.new(mode, (4, 5)) for mode in modes]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "CMYK"])
@pytest.mark.parametrize("cls", [Jpeg, JpegBatch])
def test_an_image_is_written_in_the_format_asked_for(cls: type[Model], mode: str) -> None:
    reply = ask(cls, json.dumps(mode))
    assert isinstance(reply, Answer)
    assert reply.content_type == "image/jpeg"
    assert told(Image.open(io.BytesIO(view_of(reply.body)))) == [4, 5, "JPEG"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "CMYK", "1", "I;16", "YCbCr"])
def test_an_image_is_a_png_by_itself(mode: str) -> None:
    reply = answer_to(Image.new(mode, (4, 5)), Context())
    assert isinstance(reply, Answer)
    assert reply.content_type == "image/png"
    assert told(Image.open(io.BytesIO(view_of(reply.body)))) == [4, 5, "PNG"]


def test_the_context_may_ask_for_another_format() -> None:
    context = Context()
    context.response_headers["Content-Type"] = "image/webp"
    reply = answer_to(Image.new("RGB", (4, 5)), context)
    assert isinstance(reply, Answer)
    assert (reply.content_type, view_of(reply.body)[8:12]) == ("image/webp", b"WEBP")


def test_an_image_within_json_is_base64() -> None:
    reply = answer_to({"image": Image.new("RGB", (4, 5))}, Context())
    assert isinstance(reply, bytes)
    body = base64.b64decode(json.loads(reply)["image"])
    assert told(Image.open(io.BytesIO(body))) == [4, 5, "PNG"]


class Deep(Model):
    def predict(self) -> Any:
        return Image.new("F", (1, 1))


class Unwritable(Model):
    def predict(self) -> Annotated[Image.Image, Encode(..., "image/nonsense")]:
        return Image.new("RGB", (1, 1))


def test_an_image_that_cannot_be_written_is_its_requests_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert fault(Deep, b"").status == 500
    assert "Image as image/png: cannot write mode F as PNG" in caplog.text


def test_a_format_that_nobody_writes_is_told_at_load() -> None:
    with pytest.raises(ConfigError, match="Image cannot be written so"):
        plan_of(Unwritable)
