"""Who answers while no worker does: probes as they are, and for the rest when to come again.

Every answer is its connection's last, so that the next request finds a worker, if one is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any

import msgspec

from headrace.host.listening import Listening
from headrace.host.tls import context_of
from headrace.settings.table import Settings

MOST_BODY_BYTES = 1 << 20
"""So much of a body is read before it is refused: a client that still writes misses its answer."""
LONGEST_S = 30
LIVE = "/health/live"
PROBES = ("/health/startup", "/health/ready", "/health")


class WaitingRoom:
    """Answers on the listening sockets, between `open` and `close`."""

    def __init__(
        self,
        sockets: Sequence[socket],
        settings: Settings,
        doing: Callable[[], tuple[str, str]],
    ) -> None:
        """`doing` tells a word for the state, and what it is about. Raises ConfigError."""
        self._sockets, self._doing = sockets, doing
        self._limits, self._tls = settings.limits(), context_of(settings)
        self._since = time.monotonic()
        self._listening: list[Listening] = []
        self._turn = asyncio.Lock()

    async def set(self, *, is_open: bool) -> None:
        """Open or close it; who is inside when it closes is answered, and nobody is cut off."""
        async with self._turn:
            if is_open and not self._listening:
                self._since = time.monotonic()
                for sock in self._sockets:
                    await self._open(sock)
            elif not is_open:
                gone, self._listening = self._listening, []
                await asyncio.gather(*(listening.retire() for listening in gone))

    async def _open(self, sock: socket) -> None:
        # A copy: the loop closes what it listened on, and the socket is to stay.
        listening = Listening(self, sock.dup(), limits=self._limits, tls=self._tls)
        self._listening.append(listening)
        await listening.open()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be the application."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})  # try again later
            return
        await _swallow(receive)
        state, about = self._doing()
        path = scope["path"].removeprefix("/-")
        if path == LIVE:
            status, told = 200, {"status": "ok"}
        elif path in PROBES:
            status, told = 503, {"status": state, "detail": about}
        else:
            status, told = 503, _problem(state, about, time.monotonic() - self._since)
        kind = b"application/problem+json" if "code" in told else b"application/json"
        await _respond(send, status, kind, told)


def _problem(state: str, about: str, waited_s: float) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": state,
        "detail": f"{about} ({waited_s:.0f} s so far)",
        "retry_after_s": min(LONGEST_S, max(1, round(waited_s / 2))),
    }


async def _swallow(receive: Any) -> None:
    size, more = 0, True
    while more and size < MOST_BODY_BYTES:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _respond(send: Any, status: int, kind: bytes, told: dict[str, Any]) -> None:
    body = msgspec.json.encode(told)
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    if status != 200:  # noqa: PLR2004 - the one status that is good
        headers.append((b"retry-after", b"%d" % told.get("retry_after_s", 1)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
