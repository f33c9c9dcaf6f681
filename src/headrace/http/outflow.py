"""An application's response on its way from its replica to its client.

what comes                          what is sent
one whole answer                    one response, in one write where that can be
a start, then bytes                 each piece as it comes; it counts as taken when it is sent
the end of the response alone       the last message; the application goes on behind it
a fault, before a start             a problem document
a fault, after one                  the connection is cut, or the form's own word for it
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.errors import HeadraceError
from headrace.host.connection import Connection
from headrace.http.guard import LABEL
from headrace.http.messages import BODILESS, Headers, Response, Scope, Send
from headrace.http.problems import encoded
from headrace.http.responses import CLIENT_LEFT, response_of
from headrace.http.streaming import FAILURES, Sent
from headrace.model.envelope import Fault, Message, Opened, Part
from headrace.model.media import media_type
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.driver import Driver
from headrace.runtime.metrics import Endings

LENGTH = b"content-length"


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a response is for, and the ways to it."""

    scope: Scope
    send: Send
    label: bytes
    connection: Connection | None
    """Our own protocol's, where a whole response may go past ASGI."""
    tells: bool
    """Whether a stream that fails says so in its own form: it is one that we wrote."""


class Outflow:
    """One response."""

    def __init__(self, client: Client, endings: Endings) -> None:
        self._client, self._endings = client, endings
        self._parts: list[Part] = []
        self._ending: Ending = None
        self._is_over = self.is_complete = False
        self._opened: Opened | None = None
        self._refusal: HeadraceError | None = None
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

    def refuse(self, error: HeadraceError) -> None:
        """What the client sends is at fault: that is its answer, whatever the application says."""
        self._refusal = error

    async def carry(self, driver: Driver, asked: Asked) -> Sent:
        """Send what comes, to the end of the response."""
        while self._parts or not (self._is_over or self.is_complete):
            await self._news.wait()
            self._news.clear()
            parts, self._parts = self._parts, []
            if parts:
                await self._pass_on(parts)
                driver.took(asked, len(parts))
        ending = self._ending if self._refusal is None else self._refusal
        if self._opened is None:
            return await send_whole(ending, self._client)
        return Sent(self._opened.status) if self.is_complete else await self._end(ending)

    def close(self) -> None:
        """Count it no longer among the open ones."""
        if self._opened is not None:
            self._endings.streams_open -= 1

    async def _pass_on(self, parts: Sequence[Part]) -> None:
        body = b"".join(part for part in parts if type(part) is bytes)
        if self._opened is None and isinstance(parts[0], Opened):
            await self._begin(parts[0])
        is_last = any(type(part) is Message for part in parts)
        if body or is_last:
            self._endings.stream_parts += 1
            await self._client.send(
                {"type": "http.response.body", "body": body, "more_body": not is_last}
            )
        self.is_complete = self.is_complete or is_last

    async def _begin(self, opened: Opened) -> None:
        self._opened = opened
        self._endings.streams_open += 1
        headers = encoded(opened.headers)
        if opened.content_type:
            headers.append((b"content-type", opened.content_type.encode("latin-1")))
        headers = _labelled(headers, self._client.label)
        start = {"type": "http.response.start", "status": opened.status, "headers": headers}
        await self._client.send(start)

    async def _end(self, ending: Ending) -> Sent:
        """Send the last words that the ending leaves room for."""
        opened = self._opened
        if ending is None or opened is None:
            return Sent(CLIENT_LEFT)
        status, last = opened.status, b""
        if isinstance(ending, Fault | HeadraceError):
            failure = response_of(ending, self._client.label)
            form = FAILURES.get(media_type(opened.content_type)) if self._client.tells else None
            if form is None or status in BODILESS:
                return Sent(failure.status, cut=True)
            status, last = failure.status, form % failure.body
        await self._client.send({"type": "http.response.body", "body": last})
        return Sent(status)


async def send_whole(ending: Ending, client: Client) -> Sent:
    """Send an ending as one response; None is of a client that left."""
    if ending is None:
        return Sent(CLIENT_LEFT)
    response = response_of(ending, client.label)
    headers = _sized(_labelled(response.headers, client.label), response)
    scope, connection = client.scope, client.connection
    if connection is not None and scope["method"] != "HEAD":
        lines = b"".join([b"%s: %s\r\n" % header for header in headers])
        if connection.respond(scope, response.status, lines, response.body):
            return Sent(response.status)
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    await client.send(start)
    await client.send({"type": "http.response.body", "body": bytes(response.body)})
    return Sent(response.status)


def _labelled(headers: Headers, label: bytes) -> Headers:
    if any(name == LABEL for name, _ in headers):
        return headers  # the application's own word
    return [*headers, (LABEL, label)]


def _sized(headers: Headers, response: Response) -> Headers:
    if response.status in BODILESS or any(name == LENGTH for name, _ in headers):
        return headers
    return [*headers, (LENGTH, b"%d" % len(response.body))]
