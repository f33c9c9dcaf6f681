"""One answer in parts, from its replica to its client: each part leaves as soon as it is here.

What came within one turn of the loop leaves in one message. Parts count as taken when `send` has
returned, for then there is room for others: a client that reads slowly slows down its own stream,
and nobody else's.

    begun as          it ends well             it fails
    nothing yet       an ordinary response     an ordinary response
    events, lines     an empty last message    an event or a line that tells why, and the last one
    text, bytes       an empty last message    the connection is cut: a clean end would be a lie
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from headrace.core.messages import DeploymentId
from headrace.errors import HeadraceError
from headrace.http.hangup import followed
from headrace.http.messages import BODILESS, Headers, Receive, Scope, Send
from headrace.http.problems import encoded
from headrace.http.responses import CLIENT_LEFT, response_of, unsendable
from headrace.model.envelope import Envelope, Fault, Opened, Part
from headrace.model.media import media_type
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.driver import Driver
from headrace.runtime.metrics import Endings

EVENTS = "text/event-stream"
FAILURES: Mapping[str, bytes] = {
    EVENTS: b"event: error\ndata: %s\n\n",
    "application/x-ndjson": b'{"error": %s}\n',
    "application/jsonl": b'{"error": %s}\n',
}
"""How a form tells of a problem behind its items; a form that is not here has no word for it."""
FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_UNBUFFERED = (b"x-accel-buffering", b"no")
_UNCACHED = (b"cache-control", b"no-cache")


@dataclass(frozen=True, slots=True)
class Sent:
    """A response that left in parts: the status it ended with, and whether it is to be cut off."""

    status: int
    cut: bool = False


class Streams:
    """The way of the streamed answers of one deployment."""

    def __init__(self, driver: Driver, deployment: DeploymentId, endings: Endings) -> None:
        """Count what is open, and every part, in `endings`."""
        self._driver, self._deployment, self._endings = driver, deployment, endings

    async def carry(
        self, envelope: Envelope, scope: Scope, receive: Receive, send: Send
    ) -> Ending | Sent:
        """Ask, and send the answer as it comes; return an ending of which nothing was sent.

        Raises Refused.
        """
        answer = _Answer(send, self._endings)
        asked = self._driver.ask(self._deployment, envelope, answer.ended, heard=answer.heard)
        left = partial(self._driver.hang_up, asked)
        try:
            async with followed(scope, receive, left):
                return await answer.carry(self._driver, asked)
        finally:
            answer.close()
            left()  # no news if it has ended; it is the way out that may have failed


class _Answer:
    """One answer on its way."""

    def __init__(self, send: Send, endings: Endings) -> None:
        self._send, self._endings = send, endings
        self._parts: list[Part] = []
        self._ending: Ending = None
        self._is_over = False
        self._opened: Opened | None = None
        self._news = asyncio.Event()

    def heard(self, part: Part) -> None:
        """Take the next part."""
        self._parts.append(part)
        self._news.set()

    def ended(self, ending: Ending) -> None:
        """Take the ending; if nobody waits any more, what is still here is for nobody."""
        self._ending, self._is_over = ending, True
        if ending is None:
            self._parts.clear()
        self._news.set()

    async def carry(self, driver: Driver, asked: Asked) -> Ending | Sent:
        """Send what comes, to its end."""
        label = asked.envelope.label.encode()
        while self._parts or not self._is_over:
            await self._news.wait()
            self._news.clear()
            parts, self._parts = self._parts, []
            if self._opened is None and parts and isinstance(parts[0], Opened):
                fault = await self._begin(parts[0], label)
                if fault is not None:
                    return fault
            if parts:
                await self._pass_on(parts)
                driver.took(asked, len(parts))
        return self._ending if self._opened is None else await self._end(self._opened, label)

    def close(self) -> None:
        """Count it no longer among the open ones."""
        if self._opened is not None:
            self._endings.streams_open -= 1

    async def _begin(self, opened: Opened, label: bytes) -> Fault | None:
        """Send the start of the response; return why that is not possible."""
        try:
            headers = _headers(opened, label)
        except UnicodeEncodeError:
            return unsendable()
        self._opened = opened
        self._endings.streams_open += 1
        start = {"type": "http.response.start", "status": opened.status, "headers": headers}
        await self._send(start)
        return None

    async def _pass_on(self, parts: Sequence[Part]) -> None:
        bodies = [part for part in parts if type(part) is bytes]
        self._endings.stream_parts += len(bodies)
        body = b"".join(bodies)
        if body and self._opened is not None and self._opened.status not in BODILESS:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self, opened: Opened, label: bytes) -> Sent:
        """Send the last words that the ending leaves room for."""
        ending, status, last = self._ending, opened.status, b""
        if ending is None:
            return Sent(CLIENT_LEFT)
        if isinstance(ending, Fault | HeadraceError):
            failure = response_of(ending, label)
            form = FAILURES.get(media_type(opened.content_type))
            if form is None or opened.status in BODILESS:
                return Sent(failure.status, cut=True)
            status, last = failure.status, form % failure.body
        await self._send({"type": "http.response.body", "body": last})
        return Sent(status)


def _headers(opened: Opened, label: bytes) -> Headers:
    """Return the headers of a streamed answer. Raises UnicodeEncodeError."""
    headers = [header for header in encoded(opened.headers) if header[0] not in FRAMING]
    names = {name for name, _ in headers}
    if opened.content_type and b"content-type" not in names:
        headers.append((b"content-type", opened.content_type.encode("latin-1")))
    if media_type(opened.content_type) == EVENTS and _UNCACHED[0] not in names:
        headers.append(_UNCACHED)
    if _UNBUFFERED[0] not in names:
        headers.append(_UNBUFFERED)
    return [*headers, (b"x-request-id", label)]
