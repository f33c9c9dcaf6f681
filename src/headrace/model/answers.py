"""How what a hook returns becomes an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from headrace.model.adapters import Encode
from headrace.model.context import Context, is_untouched
from headrace.model.envelope import Answer, Opened
from headrace.model.known import is_image
from headrace.model.media import BYTES, JSON, PNG, TEXT, is_text, with_charset
from headrace.model.plain import STREAM, CannotAnswer, as_json
from headrace.model.rendering import in_form, renderer
from headrace.model.sizes import bounded_headers

_PLAIN = frozenset({dict, list, str, int, float, bool, type(None), tuple})
_RAW = (bytes, bytearray, memoryview)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"})
_BODILESS = frozenset({204, 205, 304})


def answer_to(output: Any, context: Context) -> bytes | Answer:
    """Write an output as an answer; the common one, plain JSON, is its bare bytes.

    NaN and infinities become null, for JSON has no word for them. Raises CannotAnswer.
    """
    if is_untouched(context) and type(output) in _PLAIN:
        return as_json(output)
    if isinstance(output, _RAW):
        return _with_context(context, BYTES, bytes(output))
    if _is_response(output):
        return _from_response(output)
    if is_image(type(output)):
        media = _wished(context, "image/") or PNG
        return _with_context(context, media, in_form(output, media))
    if is_untouched(context):
        return as_json(output)
    return _with_context(context, JSON, output)


def answer_of_handler(output: Any, context: Context) -> bytes | Answer:
    """Write what a plain class or function returned: as `answer_to`, but a text is text/plain.

    Raises CannotAnswer.
    """
    if isinstance(output, str):
        return _with_context(context, with_charset(TEXT), output)
    return answer_to(output, context)


def answerer(encode: Encode | None) -> Callable[[Any, Context], bytes | Answer]:
    """Choose how a model's outputs are written: as its Encode says, else by what they are."""
    if encode is None:
        return answer_to
    render, wished = renderer(encode), encode.media_type

    def answer(output: Any, context: Context) -> bytes | Answer:
        if _is_response(output):
            return _from_response(output)
        body = render(output)
        if isinstance(body, str):
            return _with_context(context, with_charset(wished or TEXT), body.encode())
        return _with_context(context, wished or BYTES, body)

    return answer


def content_type_of(context: Context) -> str:
    """Give the Content-Type that a hook has set, nothing if none has."""
    return _wished(context, "") or ""


def opened(context: Context, content_type: str) -> Opened:
    """Begin a streamed answer as the context says. Raises CannotAnswer."""
    answer = _with_context(context, content_type, b"")
    bounded_headers(answer.headers)
    if context.status in _BODILESS:
        raise CannotAnswer(f"an answer of status {context.status} has no body to stream into")
    return Opened(answer.status, content_type, answer.headers)


def _wished(context: Context, start: str) -> str | None:
    """Find the Content-Type that a hook has set, if it begins so."""
    found = (v for k, v in context.response_headers.items() if str(k).lower() == "content-type")
    media = str(next(found, ""))
    return media if media.startswith(start) else None


def _with_context(context: Context, content_type: str, output: Any) -> Answer:
    """Answer as the context says; a text type of its own is sent as it is."""
    headers: list[tuple[str, str]] = []
    for name, value in header_pairs(context.response_headers.items()):
        if name.lower() == "content-type":
            content_type = value
        elif name.lower() in _OURS:
            raise CannotAnswer(f"the header {name} is the server's to write")
        else:
            headers.append((name, value))
    if context.status in _BODILESS:
        return Answer(context.status, "", b"", headers)
    if isinstance(output, bytes):
        body = output
    elif isinstance(output, str) and is_text(content_type):
        body = output.encode()
    else:
        body = as_json(output)
    return Answer(context.status, content_type, body, headers)


def header_pairs(headers: Iterable[tuple[Any, Any]]) -> list[tuple[str, str]]:
    """List headers as text; raises CannotAnswer for one that could break out of its line."""
    pairs = [(str(name), str(value)) for name, value in headers]
    for name, value in pairs:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise CannotAnswer(f"{name!r}: {value!r} cannot be a header")
    return pairs


def _is_response(output: Any) -> bool:
    """Know Starlette's Response by its shape, so that nobody imports Starlette to compare."""
    return hasattr(output, "raw_headers") and hasattr(output, "status_code")


def _from_response(response: Any) -> Answer:
    if not hasattr(response, "body"):
        raise CannotAnswer(f"{type(response).__name__} is {STREAM}")
    if getattr(response, "background", None) is not None:
        raise CannotAnswer("a Response's background task would never run; do its work in the hook")
    content_type, headers = "", []
    raw = ((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.raw_headers)
    for name, value in header_pairs(raw):
        if name.lower() == "content-type":
            content_type = value
        elif name.lower() not in _OURS:
            headers.append((name, value))
    return Answer(int(response.status_code), content_type, bytes(response.body), headers)
