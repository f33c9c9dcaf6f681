"""Every mistake with a Decode or an Encode is told at load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from headrace.errors import ConfigError
from headrace.model.adapters import Decode, Encode
from headrace.model.api import Model
from tests.model.making import plan_of
from tests.model.test_adapters import Read, parse_board, render

if TYPE_CHECKING:
    from nowhere import Later  # type: ignore[import-not-found]


class Defaulted(Model):
    def predict(self, board: Read | None = None) -> Any:  # not outermost
        return board


async def parse_later(body: bytes) -> bytes:
    return body


def taking(adapter: Any) -> type[Model]:
    class Taking(Model):
        def predict(self, x: Any) -> Any:
            return x

    Taking.predict.__annotations__["x"] = Annotated[Any, adapter]
    return Taking


def giving(result: Any, hook: str = "predict") -> type[Model]:
    def work(self: Any, x: Any) -> Any:
        return x

    work.__annotations__["return"] = result
    return type("Giving", (Model,), {hook: work})


class EncodeTwice(Model):
    def predict(self, x: int) -> Annotated[int, Encode(render, "a/b")]:
        return x

    def encode_response(self, x: int) -> int:
        return x


class Unresolved(Model):
    def predict(self, x: int) -> Annotated[Later, Encode(render, "a/b")]:
        return x


def alone() -> None: ...


def three(a: bytes, b: str, c: int) -> None: ...


def named(*, body: bytes) -> None: ...


IN_LIST: Any = list[Read]


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (taking(Decode(3)), "3 is no function"),  # type: ignore[arg-type]
        (taking(Decode(alone)), "alone is to be called with the body"),
        (taking(Decode(three)), "three is to be called with the body, or the body with its type"),
        (taking(Decode(named)), "named is to be called with the body"),
        (taking(Decode(parse_later)), "parse_later is `async def`"),
        (taking(Decode(parse_board, "png")), "'png' is no media type"),
        (taking(Encode(render)), "has an Encode on its parameter `x`"),
        (Defaulted, "out of place"),
        (giving(Annotated[int, Encode(...)]), "`...` needs a media type"),
        (giving(Annotated[int, Encode(..., "text/plain")]), "int cannot be written so"),
        (giving(Annotated[str, Encode(..., "image/png")]), "str cannot be written so"),
        (giving(Annotated[int, Encode(3, "a/b")]), "3 is no function"),  # type: ignore[arg-type]
        (giving(Annotated[int, Encode(three, "a/b")]), "with the result alone"),  # type: ignore[arg-type]
        (giving(Annotated[int, Encode(render, "ab")]), "'ab' is no media type"),
        (giving(Annotated[int, Decode(parse_board)]), "where it does nothing"),
        (giving(list[Annotated[int, Encode(render, "a/b")]]), "where it does nothing"),
        (
            giving(Annotated[list[int], Encode(render, "a/b")], "predict_batch"),
            "in predict_batch around the item",
        ),
        (EncodeTwice, "EncodeTwice.predict has Encode(render, 'a/b') in its result"),
        (Unresolved, "'Later' is not defined"),
    ],
)
def test_a_mistake_with_an_adapter_is_told_at_load(cls: type[Model], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of(cls)
    assert words in str(caught.value)


@dataclass
class Nested:
    board: Read


def test_an_adapter_within_a_record_is_told_at_load() -> None:
    for annotation in (IN_LIST, Nested, dict[str, Read]):
        cls = taking(None)
        cls.predict.__annotations__["x"] = annotation  # type: ignore[attr-defined]
        with pytest.raises(ConfigError, match="out of place"):
            plan_of(cls)
