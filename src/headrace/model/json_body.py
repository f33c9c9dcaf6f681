"""How a body of JSON or text is read, and what is said of one that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from headrace.errors import BadRequest, Unprocessable, UnsupportedMedia
from headrace.model.codec import Reader
from headrace.model.media import JSON, charset_of, is_json, is_text
from headrace.model.misfit import Misfit

_PLACE = re.compile(r"(?s)(.*) - at (?:`key` in )?`(.*)`")
FromJson = Callable[[bytes | memoryview], Any]
"""Reads JSON into what it was made for."""
_UTF8 = (None, "utf-8", "utf8", "us-ascii", "ascii")


def json_reader(decode: FromJson, mend: str) -> Reader:
    """Read JSON with a decoder of msgspec's."""

    def read(envelope: Any) -> Any:
        kind = envelope.content_type
        if kind != JSON and kind is not None and envelope.payload != b"":
            require_json(kind, mend)
        try:
            return decode(envelope.view())
        except (ValueError, RecursionError) as error:
            body = envelope.body
            refuse(_gravest(error, body), body, mend)

    return read


def text_reader(read_json: Reader) -> Reader:
    """Read text as it is, anything else as JSON."""

    def read(envelope: Any) -> Any:
        kind = envelope.content_type
        if kind is None or kind == JSON or not is_text(kind):
            return read_json(envelope)
        charset = charset_of(kind) or "utf-8"
        try:
            return envelope.body.decode(charset)
        except LookupError as error:
            raise UnsupportedMedia(f"no charset is known as {charset!r}; send UTF-8") from error
        except ValueError as error:
            raise BadRequest(f"the body is not valid {charset}") from error

    return read


def require_json(content_type: str, mend: str) -> None:
    """Raise UnsupportedMedia unless it is JSON in UTF-8."""
    if not is_json(content_type):
        raise unread(content_type, mend)
    if charset_of(content_type) not in _UTF8:
        raise UnsupportedMedia("JSON is read as UTF-8 only; leave the charset out")


def unread(content_type: str, mend: str) -> UnsupportedMedia:
    """Word what a body of a wrong type is told."""
    return UnsupportedMedia(f"a body of type {content_type!r} is not read here; {mend}")


def _gravest(error: Exception, body: bytes) -> Exception:
    """Prefer a fault of syntax: a typed decoder stops at a wrong type before it meets one."""
    if isinstance(error, msgspec.ValidationError):
        try:
            msgspec.json.decode(body)
        except (ValueError, RecursionError) as graver:
            return error if isinstance(graver, msgspec.ValidationError) else graver
    return error


def refuse(error: Exception, body: bytes, mend: str) -> NoReturn:
    """Say in our words what the decoder found."""
    if not body:
        raise BadRequest(f"the body is empty; {mend}") from error
    if isinstance(error, msgspec.ValidationError):
        fault = misfit_of(error)
        raise Unprocessable(fault.detail, path=fault.path) from error
    if isinstance(error, UnicodeDecodeError):
        raise BadRequest("the body is not valid JSON: a string in it is not UTF-8") from error
    if isinstance(error, RecursionError):
        raise BadRequest("the body is nested too deeply to be read") from error
    if isinstance(error, msgspec.DecodeError):
        raise BadRequest(f"the body is not valid JSON: {_position(error, body)}") from error
    raise error


def misfit_of(error: Exception) -> Misfit:
    """Take a decoder's words apart; the path goes on into what a codec of ours has read."""
    found = _PLACE.fullmatch(str(error))
    detail, path = found.groups() if found else (str(error), "$")
    inner = error.__cause__
    return Misfit(detail, path + inner.path[1:] if isinstance(inner, Misfit) else path)


def _position(error: Exception, body: bytes) -> str:
    words = str(error).removeprefix("JSON is malformed: ")
    if "truncated" in words:
        return f"it ends too early (byte {len(body)})"
    return words
