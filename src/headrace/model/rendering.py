"""How an output is written in a media type that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.errors import HTTPError, RequestError
from headrace.model.adapters import Encode, word_of
from headrace.model.known import is_array, is_image, is_number
from headrace.model.media import NPY, is_json, is_text, media_type
from headrace.model.plain import CannotAnswer, as_json

Rendered = bytes | str


def renderer(encode: Encode) -> Callable[[Any], Rendered]:
    """Give what writes a model's outputs; it raises CannotAnswer."""
    render, media = encode.render, encode.media_type
    if render is ...:
        return lambda output: in_form(output, media)

    def rendered(output: Any) -> Rendered:
        try:
            body = render(output)
        except (HTTPError, RequestError):
            raise
        except Exception as error:
            raise CannotAnswer(f"{word_of(render)} raised {type(error).__name__}") from error
        if isinstance(body, bytearray | memoryview):
            return bytes(body)
        if not isinstance(body, bytes | str):
            kind = type(body).__name__
            raise CannotAnswer(f"{word_of(render)} returned {kind}, not bytes or str")
        return body

    return rendered


def in_form(output: Any, media: str) -> Rendered:
    """Write an output our own way in a media type; raises CannotAnswer where there is none."""
    if isinstance(output, bytes | bytearray | memoryview):
        return bytes(output)
    if isinstance(output, str) and is_text(media):
        return output
    try:
        if is_image(type(output)) and media.startswith("image/"):
            from headrace.model.images import written  # noqa: PLC0415 - Pillow is there already

            return written(output, media)
        if _is_numpy(type(output)) and media_type(media) == NPY:
            from headrace.model.arrays import as_npy  # noqa: PLC0415 - so is numpy

            return as_npy(output)
    except Exception as error:  # a picture or array of a kind that the format has no place for
        raise CannotAnswer(f"{type(output).__name__} as {media}: {error}") from error
    if is_json(media):
        return as_json(output)
    raise CannotAnswer(f"{type(output).__module__}.{type(output).__qualname__} is no {media}")


def _is_numpy(kind: Any) -> bool:
    return is_array(kind) or is_number(kind)  # what numpy reckons of a 0-d array is a number


def writes(kind: Any, media: str) -> bool:
    """Tell whether `in_form` can write a class in a media type, as far as it is known at load."""
    if is_json(media) or kind in (Any, object) or not isinstance(kind, type):
        return True
    if is_image(kind):
        from headrace.model.images import format_of  # noqa: PLC0415 - Pillow is there already

        return format_of(media) is not None
    if is_array(kind):
        return media_type(media) == NPY
    if issubclass(kind, str):
        return is_text(media)
    return issubclass(kind, bytes | bytearray | memoryview)
