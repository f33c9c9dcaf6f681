"""A user's own ways in and out: Decode makes a value of a body, Encode a body of a value."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any, TypeVar

__all__ = ["Decode", "Encode"]

A = TypeVar("A")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_MOST = 2


class Decode:
    """Read a parameter with a function of your own: `Annotated[Board, Decode(parse_board)]`.

    `parse` gets the body as bytes, and the Content-Type too if it takes two. A ValueError it raises
    is a 422 with its message. `media_types` are the ones taken ("image/*" is all images), others
    are a 415; without any it takes them all.
    """

    __slots__ = ("media_types", "parse")

    def __init__(self, parse: Callable[..., Any], *media_types: str) -> None:
        self.parse, self.media_types = parse, media_types

    def __repr__(self) -> str:
        return f"Decode({', '.join([word_of(self.parse), *map(repr, self.media_types)])})"


class Encode:
    """Write a result with your own function: `-> Annotated[Plot, Encode(render, "image/png")]`.

    `render` gets the result and returns bytes or str; `...` in its place is our own way to write
    that media type: an image as JPEG, an array as .npy, a str as text.
    """

    __slots__ = ("media_type", "render")

    def __init__(
        self, render: Callable[[Any], bytes | str] | EllipsisType, media_type: str = ""
    ) -> None:
        self.render, self.media_type = render, media_type

    def __repr__(self) -> str:
        return f"Encode({word_of(self.render)}, {self.media_type!r})"


def word_of(function: object) -> str:
    """Name a function as its author knows it."""
    if function is ...:
        return "..."
    return str(getattr(function, "__qualname__", None) or repr(function))


def adapter_of(annotation: Any, kind: type[A]) -> A | None:
    """Find the outermost adapter of a kind."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return None
    found = [note for note in typing.get_args(annotation)[1:] if isinstance(note, kind)]
    return found[-1] if found else None


def problem_of(adapter: Decode | Encode) -> str:
    """Say what is wrong with an adapter, nothing if it can be used."""
    if isinstance(adapter, Decode):
        wrong = _problem_of_types(adapter.media_types)
        return wrong or _problem_of_function(adapter.parse, _MOST)
    if adapter.render is ... and not adapter.media_type:
        return "`...` needs a media type: Encode(..., 'image/jpeg')"
    wrong = _problem_of_types([adapter.media_type] if adapter.media_type else [])
    return wrong or ("" if adapter.render is ... else _problem_of_function(adapter.render, 1))


def _problem_of_types(media_types: Sequence[Any]) -> str:
    for media in media_types:
        if not isinstance(media, str) or media.count("/") != 1:
            return f"{media!r} is no media type"
    return ""


def _problem_of_function(function: Any, most: int) -> str:
    if not callable(function):
        return f"{function!r} is no function"
    if inspect.iscoroutinefunction(function):
        return f"{word_of(function)} is `async def`; await in a hook instead"
    found = _positional(function)
    if found is None:
        return ""  # built in: calling it will tell
    needed = [p for p in found if p.default is p.empty]
    if not found or len(needed) > most or any(p.kind not in _POSITIONAL for p in needed):
        wanted = "the body, or the body with its type," if most > 1 else "the result alone"
        return f"{word_of(function)} is to be called with {wanted} by position"
    return ""


def takes_type(parse: Callable[..., Any]) -> bool:
    """Tell whether a parser takes the Content-Type beside the body."""
    found = [p for p in _positional(parse) or [] if p.kind in _POSITIONAL]
    return len(found) > 1 and (
        found[1].default is found[1].empty or found[1].name == "content_type"
    )


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """List what a caller may fill by position or must fill by name; None where nobody knows."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    named = inspect.Parameter.KEYWORD_ONLY
    return [p for p in found if p.kind in _POSITIONAL or (p.kind is named and p.default is p.empty)]
