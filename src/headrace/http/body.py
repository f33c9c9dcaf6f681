"""Read a request's body, within its limits of size and time."""

from __future__ import annotations

import asyncio

from headrace.errors import BadRequest, RequestTimeout, TooLarge
from headrace.http.messages import Message, Receive

IDLE_S = 30.0
SLOW_AFTER_S = 10.0
LEAST_BYTES_A_SECOND = 1024


class ClientLeft(Exception):
    """The client went away while it sent its body."""


def check_length(declared: bytes | None, limit: int) -> None:
    """Refuse a body by its Content-Length, before it is read. Raises TooLarge, BadRequest."""
    if declared is None:
        return
    if not declared.isdigit():
        raise BadRequest("Content-Length is not a number")
    if int(declared) > limit:
        raise too_large(limit)


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the whole body. Raises TooLarge, RequestTimeout, ClientLeft."""
    clock = asyncio.get_running_loop().time
    parts: list[bytes] = []
    size, began, more = 0, clock(), True
    while more:
        message = await _next(receive)
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        more = message.get("more_body", False)
        if size > limit:
            raise too_large(limit)
        seconds = clock() - began
        if more and seconds > SLOW_AFTER_S and size < seconds * LEAST_BYTES_A_SECOND:
            raise RequestTimeout(
                f"the body came at less than {LEAST_BYTES_A_SECOND} bytes a second"
            )
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _next(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(IDLE_S):
            message = await receive()
    except TimeoutError:
        raise RequestTimeout(f"nothing came of the body for {IDLE_S:g} s") from None
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message


def too_large(limit: int) -> TooLarge:
    """Return the refusal of a body over `limit` bytes."""
    return TooLarge(f"the body is over the limit of {limit} bytes")
