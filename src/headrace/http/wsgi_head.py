"""What a WSGI application may say with start_response, checked and made ready to be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from headrace.http.guard import LEAST_STATUS, MOST_STATUS, BadAnswer
from headrace.http.messages import Headers

NO_CONTENT = 204
HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"trailers", b"transfer-encoding", b"upgrade", b"proxy-connection"),
    }
)
"""Between this server and its client; PEP 3333 leaves them to the server."""
_STATUS = re.compile(r"([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NUMBER = re.compile(rb"[0-9]{1,18}")


class BadCall(BadAnswer):
    """The application did what WSGI does not allow; raised where it did."""


@dataclass(frozen=True, slots=True)
class HeadOf:
    """The head of one answer."""

    status: int
    headers: Headers
    length: int | None
    """Its Content-Length, where it says one."""


def is_bytes(part: object) -> bool:
    """Tell whether this may stand in a body."""
    return isinstance(part, bytes | bytearray | memoryview)


def head_of(status: Any, headers: Any) -> HeadOf:
    """Return a head that can be sent. Raises BadCall."""
    kept: Headers = []
    length: int | None = None
    try:
        number = _number(status)
        for name, value in headers:
            key, text = _header(name, value)
            if key == b"content-length":
                length = _length(text, length)
                if number == NO_CONTENT:
                    continue
            elif key in HOP_BY_HOP and not (key == b"connection" and text.lower() == b"close"):
                continue
            kept.append((key, text))
    except (TypeError, ValueError) as error:
        raise BadCall(f"start_response takes a str and a list of pairs of str: {error}") from error
    return HeadOf(number, kept, length)


@lru_cache(256)
def _number(status: Any) -> int:
    found = _STATUS.fullmatch(status) if isinstance(status, str) else None
    if found is None or not LEAST_STATUS <= int(found[1]) <= MOST_STATUS:
        raise BadCall(f'a status is such as "200 OK", from 200 to 599, not {status!r}')
    return int(found[1])


def _header(name: Any, value: Any) -> tuple[bytes, bytes]:
    key = _name(name)
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise BadCall(f"{value!r} is no value of the header {name} (RFC 9110, 5.5)")
    return key, value.strip().encode("latin-1")


@lru_cache(1024)  # names only: values are the users' own
def _name(name: Any) -> bytes:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise BadCall(f"{name!r} is no header name (RFC 9110, 5.1)")
    return name.lower().encode("ascii")


def _length(text: bytes, before: int | None) -> int:
    if before is not None:
        raise BadCall("Content-Length is there twice")
    if not _NUMBER.fullmatch(text):
        raise BadCall(f"Content-Length is a number, not {text!r}")
    return int(text)
