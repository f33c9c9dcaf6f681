"""ASGI's words as types, and the one way a whole response leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODILESS = (204, 304)


@dataclass(slots=True)
class Response:
    """A whole response."""

    status: int
    body: bytes | memoryview
    headers: Headers = field(default_factory=list)

    def all_headers(self, label: bytes) -> Headers:
        """Return the headers, with the request's label and the length of the body."""
        headers = [*self.headers, (b"x-request-id", label)]
        if self.status not in BODILESS:
            headers.append((b"content-length", b"%d" % len(self.body)))
        return headers

    def lines(self, label: bytes) -> bytes:
        """Return all headers as they stand in an HTTP/1.1 response."""
        return b"".join([b"%s: %s\r\n" % header for header in self.all_headers(label)])


async def respond(send: Send, response: Response, label: bytes) -> None:
    """Send a response, in two messages."""
    headers = response.all_headers(label)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(response.body)})
