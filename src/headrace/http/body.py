"""Read a request's body, within its limits of size and time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from headrace.errors import BadRequest, RequestTimeout, TooLarge
from headrace.http.messages import App, Message, Receive, Scope, Send

SLOW_AFTER_S = 10.0


class ClientLeft(Exception):
    """The client went away while it sent its body."""


def declared(length: bytes | None) -> int | None:
    """Read a Content-Length, if there is one. Raises BadRequest."""
    if length is None:
        return None
    if not length.isdigit():
        raise BadRequest("Content-Length is not a number")
    return int(length)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a body must come."""

    idle_s: float = 30.0
    least_bytes_per_s: int = 1024
    most_bytes: int | None = None
    """The longest, where nobody else counts."""


class Paced:
    """An ASGI application whose requests' bodies come in time, or else its `receive` raises."""

    def __init__(self, app: App, pace: Pace) -> None:
        """Take the application that reads the bodies."""
        self._app, self._pace = app, pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `App`."""
        await self._app(scope, Clocked(receive, self._pace), send)


class Clocked:
    """A `receive` that raises RequestTimeout; after the body it waits as long as it is asked to."""

    def __init__(self, receive: Receive, pace: Pace) -> None:
        self._receive, self._pace = receive, pace
        self._clock = asyncio.get_running_loop().time
        self._began, self._size, self._more = self._clock(), 0, True

    async def __call__(self) -> Message:
        """See ASGI's `receive`."""
        if not self._more:
            return await self._receive()
        idle_s = self._pace.idle_s
        try:
            async with asyncio.timeout(idle_s):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout(f"nothing came of the body for {idle_s:g} s") from None
        self._more = message.get("more_body", False)
        self._size += len(message.get("body", b""))
        most = self._pace.most_bytes
        if most is not None and self._size > most:
            raise too_large(most)
        least, seconds = self._pace.least_bytes_per_s, self._clock() - self._began
        if self._more and seconds > SLOW_AFTER_S and self._size < seconds * least:
            raise RequestTimeout(f"the body came at less than {least} bytes a second")
        return message


def too_large(limit: int) -> TooLarge:
    """Return the refusal of a body over `limit` bytes."""
    return TooLarge(f"the body is over the limit of {limit} bytes")
