"""One model per type that goes in or out; most live in the server itself, to start quickly."""

import datetime as dt
import enum
import uuid
from collections.abc import Mapping, Set  # noqa: PYI025 - annotations of models
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

import attrs
import msgspec
import numpy as np
import pydantic
from numpy.typing import NDArray
from PIL import Image
from starlette.responses import Response

import headrace as hr

inline = hr.deployment(executor="inline")


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int = 0


class Struct(msgspec.Struct):
    n: int


@attrs.define
class Board:
    size: int = attrs.field(validator=attrs.validators.gt(2))


class Move(pydantic.BaseModel):
    x: int
    tags: list[str] = []


def parse_rows(body: bytes) -> list[str]:
    if not body:
        raise ValueError("no rows")
    return body.decode().split("/")


def render_rows(rows: list[str]) -> bytes:
    return "|".join(rows).encode()


@inline
class Text(hr.Model):
    def predict(self, text: str) -> str:
        return text


@inline
class Raw(hr.Model):
    def predict(self, body: bytes) -> bytes:
        return body


@inline
class Dates(hr.Model):
    def predict(self, at: dt.datetime, day: dt.date, key: uuid.UUID) -> dict[str, Any]:
        return {"at": at, "day": day, "key": key}


@inline
class Exact(hr.Model):
    def predict(self, price: Decimal, colour: Colour = Colour.RED) -> list[Any]:
        return [price, colour]


@inline
class Sets(hr.Model):
    def predict(self, tags: Set[str]) -> Set[int]:
        return {len(tags)}


@inline
class Mappings(hr.Model):
    def predict(self, sizes: Mapping[str, int]) -> Mapping[str, int]:
        return MappingProxyType(dict(sizes))


@inline
class Points(hr.Model):
    def predict(self, points: Annotated[list[Point], msgspec.Meta(min_length=1)]) -> Point:
        return points[-1]


@inline
class Structs(hr.Model):
    def predict(self, struct: Struct) -> Struct:
        return struct


@inline
class Boards(hr.Model):
    def predict(self, board: Board) -> Board:
        return board


class Moves(hr.Model):
    def predict(self, moves: Annotated[list[Move], pydantic.Field(min_length=1)]) -> Move:
        return moves[-1]


class Arrays(hr.Model):
    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x / np.float32(2)


@inline
class Npy(hr.Model):
    def predict(
        self, x: NDArray[np.float32]
    ) -> Annotated[np.ndarray, hr.Encode(..., "application/x-npy")]:
        return x / np.float32(2)


class Images(hr.Model):
    def predict_batch(self, images: list[Image.Image]) -> list[Image.Image]:
        return [image.rotate(90, expand=True) for image in images]


@inline
class Jpeg(hr.Model):
    def predict(self, image: Image.Image) -> Annotated[Image.Image, hr.Encode(..., "image/jpeg")]:
        return image


@inline
class Uploads(hr.Model):
    def predict(self, files: list[hr.Upload]) -> list[str]:
        return [file.filename for file in files]


@inline
class Form(hr.Model):
    def predict(
        self,
        image: Image.Image,
        note: str,
        move: Move | None = None,
        mask: NDArray[np.bool_] | None = None,
        top_k: int = 5,
    ) -> list[Any]:
        return [list(image.size), note, move, mask, top_k]


@inline
class Rows(hr.Model):
    def predict(
        self, rows: Annotated[list[str], hr.Decode(parse_rows, "text/x-rows")]
    ) -> Annotated[list[str], hr.Encode(render_rows, "text/x-bars")]:
        return rows


@inline
class Answers(hr.Model):
    def predict(self, which: str) -> Any:
        nan = float("nan")
        return {
            "response": Response(b"<b>", 201, {"X-A": "1"}, "text/html"),
            "nan": [nan, {"a": np.array([nan, 1.0])}, np.float32("inf")],
            "object": object(),
            "none": None,
        }[which]
