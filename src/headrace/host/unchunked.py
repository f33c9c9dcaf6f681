"""HTTP/1.0, which knows no chunks: there an answer of unknown length ends with its connection.

uvicorn would send chunks (RFC 9112, 6.1 forbids that), and an old client would take their lengths
for part of the answer. nginx asks in HTTP/1.0 unless it is told otherwise.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from headrace.host.unsent import drop


def fitted(app: Any, cycle: RequestResponseCycle) -> Any:
    """Return the application as it is to be run for this request."""
    return app if cycle.scope["http_version"] == "1.1" else _Unchunked(app, cycle)


def cut(transport: asyncio.Transport, cycle: RequestResponseCycle | None) -> None:
    """End a connection in the midst of an answer so that its client can see that it was."""
    if cycle is not None and _is_old(cycle):
        drop(transport)  # an orderly end would be the answer's
    else:
        transport.abort()


def _is_old(cycle: RequestResponseCycle) -> bool:
    return cycle.scope["http_version"] == "1.0"


class _Unchunked:
    """An application for one request in HTTP/1.0."""

    def __init__(self, app: Any, cycle: RequestResponseCycle) -> None:
        self._app, self._cycle = app, cycle

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer; uvicorn counts down a length, which is infinite until the last part tells it."""
        cycle = self._cycle

        async def send_unchunked(message: Any) -> None:
            if message["type"] == "http.response.start":
                if all(name.lower() != b"content-length" for name, _ in message.get("headers", ())):
                    cycle.chunked_encoding, cycle.keep_alive = False, False
                    cycle.expected_content_length = math.inf  # type: ignore[assignment] # counted
            elif cycle.expected_content_length == math.inf and not message.get("more_body"):
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, send_unchunked)
