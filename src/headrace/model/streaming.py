"""How a streamed answer is written: which form it has, and how each item goes into it.

What the client accepts decides, then the Content-Type that the model has set, then the first item.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headrace.model.answers import content_type_of
from headrace.model.context import Context
from headrace.model.envelope import Envelope
from headrace.model.media import BYTES, EVENTS, NDJSON, TEXT, media_type, with_charset
from headrace.model.plain import CannotAnswer, as_json

_RAW = (bytes, bytearray, memoryview)
_LINE_END = re.compile(r"\r\n|\r|\n")
_FORMS = {
    EVENTS: EVENTS,
    NDJSON: NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "application/x-jsonlines": NDJSON,
}
_DONE = b"event: done\ndata:\n\n"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a stream; `frame` raises CannotAnswer for an item that does not fit it."""

    content_type: str
    frame: Callable[[Any], bytes]
    end: bytes = b""
    """What says that nothing was cut off, where the form has words for it."""


def wished(envelope: Envelope) -> str:
    """Give the form that a request's Accept asks for most, nothing where it names none."""
    best, found = 0.0, ""
    for accepted in _accepted(envelope):
        media, *parameters = accepted.split(";")
        form = _FORMS.get(media.strip().lower(), "")
        weight = _weight(parameters)
        if form and weight > best:  # of two alike, the first
            best, found = weight, form
    return found


def form_of(wish: str, own: str, context: Context, first: Any) -> Form:
    """Choose the form of a stream that begins with this item; `own` is the Encode's media type."""
    own = content_type_of(context) or own
    form = wish or ("" if isinstance(first, _RAW) else _FORMS.get(media_type(own), ""))
    if form == EVENTS:
        return Form(f"{EVENTS}; charset=utf-8", _event, _DONE)
    if form == NDJSON:
        return Form(NDJSON, _line)
    if isinstance(first, str):
        return Form(with_charset(own or TEXT), _text)
    if isinstance(first, _RAW):
        return Form(own or BYTES, _bytes)
    return Form(own or NDJSON, _line)


def _accepted(envelope: Envelope) -> list[str]:
    if envelope.head is None:
        return []
    values = [value for name, value in envelope.head.headers if name.lower() == b"accept"]
    return b",".join(values).decode("latin-1").split(",")


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _event(item: Any) -> bytes:
    """Write a server-sent event; its reader puts the lines together again."""
    if not isinstance(item, str):
        return b"data: %b\n\n" % as_json(item)
    lines = _LINE_END.split(item)
    return "".join([*(f"data: {line}\n" for line in lines), "\n"]).encode()


def _line(item: Any) -> bytes:
    return as_json(item) + b"\n"


def _text(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    raise CannotAnswer(f"a {type(item).__name__} came in a stream that began with text")


def _bytes(item: Any) -> bytes:
    if isinstance(item, _RAW):
        return bytes(item)
    raise CannotAnswer(f"a {type(item).__name__} came in a stream that began with bytes")
