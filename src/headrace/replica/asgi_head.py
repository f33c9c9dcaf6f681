"""What an application sends as the head of a response, checked where its own traceback tells it.

Nothing that is not well formed may travel: it would be the worker's to choke on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LEAST_STATUS, MOST_STATUS = 200, 599
NO_CONTENT, NOT_MODIFIED = 204, 304
LONGEST_KNOWN, MOST_KNOWN = 128, 256
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_NUMBER = re.compile(rb"[0-9]{1,18}")
_known: dict[tuple[bytes, bytes], tuple[str, str]] = {}
"""Headers found good before: an application has few, and sends them with every response."""


class BadAnswer(RuntimeError):
    """The application sent what is no response; raised where it did."""


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a response; `length` is the one it announces."""

    status: int
    content_type: str
    headers: list[tuple[str, str]]
    length: int | None

    @property
    def is_bodiless(self) -> bool:
        """Whether nothing follows it, by its status alone."""
        return self.status in (NO_CONTENT, NOT_MODIFIED)

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """The headers with the length, where one is announced and may be."""
        if self.length is None or self.status == NO_CONTENT:  # RFC 9110, 8.6
            return self.headers
        return [*self.headers, ("content-length", str(self.length))]


def start_of(event: Any) -> Start:
    """Read a start event. Raises BadAnswer."""
    status = event.get("status")
    if type(status) is not int or not LEAST_STATUS <= status <= MOST_STATUS:
        raise BadAnswer(f"a status is {LEAST_STATUS} to {MOST_STATUS}, not {status!r}")
    content_type, length = "", None
    headers = []
    for name, value in headers_of(event.get("headers", ())):
        if name == "content-length":
            if length is not None:
                raise BadAnswer("Content-Length is there twice")
            length = int(value)
        elif name == "content-type" and not content_type:
            content_type = value
        else:
            headers.append((name, value))
    return Start(status, content_type, headers, length)


def headers_of(given: Any) -> list[tuple[str, str]]:
    """Return headers as text, names in small letters. Raises BadAnswer."""
    try:
        found = [_known.get((name, value)) or _header(name, value) for name, value in given]
    except (TypeError, ValueError) as error:
        raise BadAnswer(f"headers are pairs of bytes: {error}") from error
    return [header for header in found if header[0] != "transfer-encoding"]


def _header(name: Any, value: Any) -> tuple[str, str]:
    if not isinstance(name, bytes) or not _TOKEN.fullmatch(name):
        raise BadAnswer(f"{name!r} is no header name (RFC 9110, 5.1)")
    if not isinstance(value, bytes) or not _VALUE.fullmatch(value):
        raise BadAnswer(f"{value!r} is no value of the header {name.decode()} (RFC 9110, 5.5)")
    found = name.lower().decode("latin-1"), value.decode("latin-1")
    if found[0] == "content-length" and not _NUMBER.fullmatch(value):
        raise BadAnswer(f"Content-Length is a number, not {value!r}")
    if found[0] == "transfer-encoding" and value.strip().lower() != b"chunked":
        raise BadAnswer(f"the only Transfer-Encoding is chunked, not {value!r}")
    if len(value) <= LONGEST_KNOWN and len(_known) < MOST_KNOWN and found[0] != "x-request-id":
        _known[name, value] = found
    return found


def body_of(event: Any) -> bytes:
    """Return what of a body an event brings. Raises BadAnswer."""
    body = event.get("body", b"")
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    raise BadAnswer(f"a body is bytes, not {type(body).__name__}")
