"""Every request becomes one line of the access log, whichever way it takes through the server.

Nothing of this is there unless the log is asked for. A request of the express lane is given a
connection that notes what is answered through it; any other one a `send` that does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from headrace.host.access_format import Exchange
from headrace.host.connection import EXTENSION, Connection, Landing, Lane
from headrace.http.hangup import connection_of
from headrace.http.lanes import Around
from headrace.http.messages import App, Headers, Message, Receive, Scope, Send

CLIENT_LEFT = 499
SWITCHED, FORBIDDEN, SERVER_ERROR = 101, 403, 500


class Log(Protocol):
    """Where the lines go."""

    def write(self, exchange: Exchange) -> None:
        """Note one exchange."""


class Accessed:
    """An application whose requests are noted."""

    def __init__(self, app: App, log: Log) -> None:
        self._app, self._log = app, log
        self.lanes = Around(getattr(app, "lanes", {}), lambda lane: _Lane(lane, log))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `App`."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await carried(self._app, self._log, scope, receive, send, time.monotonic())


async def carried(
    app: App, log: Log, scope: Scope, receive: Receive, send: Send, began: float
) -> None:
    """Run an application for one request, and note what it answered, by ASGI or past it."""
    exchange = Exchange(scope, 0, 0, 0.0, ())
    real = connection_of(scope)
    noted = None
    if real is not None:
        noted = scope["extensions"][EXTENSION] = _Connection(real, scope, log, began)
    is_written = False

    def write() -> None:
        nonlocal is_written
        if not is_written and (noted is None or not noted.is_noted):
            is_written = True
            exchange.seconds = time.monotonic() - began
            log.write(exchange)

    async def noting(message: Message) -> None:
        was_lost = real is not None and real.lost
        await send(message)
        if _note(exchange, message):
            exchange.status = CLIENT_LEFT if was_lost else exchange.status
            write()  # what the application does from here on is no part of it

    try:
        await app(scope, receive, noting)
    finally:
        if real is not None and real.lost:
            exchange.status = CLIENT_LEFT
        exchange.status = exchange.status or SERVER_ERROR
        write()


def _note(exchange: Exchange, message: Message) -> bool:
    """Take down what a message says of the response; tell if it was the last one."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            exchange.status, exchange.headers = message["status"], list(message.get("headers", ()))
        case "http.response.body" | "websocket.http.response.body":
            if exchange.scope.get("method") != "HEAD":
                exchange.body_bytes += len(message.get("body", b""))
            return not message.get("more_body")
        case "websocket.accept":
            exchange.status = SWITCHED
            return True
        case "websocket.close":
            exchange.status = exchange.status or FORBIDDEN
            return True
        case _:
            pass
    return False


class _Lane:
    """See `host.connection.Lane`."""

    def __init__(self, lane: Lane, log: Log) -> None:
        self._lane, self._log = lane, log
        self.least_length = lane.least_length

    def take(self, scope: Scope, body: bytes, connection: Connection) -> None:
        noted = _Connection(connection, scope, self._log, time.monotonic(), on_lane=True)
        self._lane.take(scope, body, noted)

    def land(self, scope: Scope, length: int, connection: Connection) -> Landing | None:
        return self._lane.land(
            scope, length, _Connection(connection, scope, self._log, time.monotonic(), on_lane=True)
        )


class _Connection:
    """A connection for the length of one request; see `host.connection.Connection`."""

    __slots__ = ("_began", "_log", "_on_lane", "_real", "_scope", "_then", "is_noted")

    def __init__(
        self, real: Connection, scope: Scope, log: Log, began: float, *, on_lane: bool = False
    ) -> None:
        self._real, self._scope, self._log, self._began = real, scope, log, began
        self._on_lane, self.is_noted = on_lane, False
        self._then: Callable[[], None] | None = None

    @property
    def lost(self) -> bool:
        return self._real.lost

    @lost.setter
    def lost(self, lost: bool) -> None:
        self._real.lost = lost

    @property
    def on_lost(self) -> Callable[[], None] | None:
        return self._then

    @on_lost.setter
    def on_lost(self, then: Callable[[], None] | None) -> None:
        self._then = then
        self._real.on_lost = None if then is None else self._left

    def respond(self, scope: object, status: int, headers: bytes, body: bytes | memoryview) -> bool:
        done = self._real.respond(scope, status, headers, body)
        if done and not self.is_noted:
            self.is_noted = True
            told = CLIENT_LEFT if self._real.lost else status
            self._write(told, len(body), headers)
        return done

    def run(self, app: App) -> None:
        self.is_noted = True  # by what follows
        log, began = self._log, self._began

        async def noted(scope: Any, receive: Any, send: Any) -> None:
            await carried(app, log, scope, receive, send, began)

        self._real.run(noted)

    def abort(self) -> None:
        self._real.abort()

    def _left(self) -> None:
        if self._on_lane and not self.is_noted:
            self.is_noted = True
            self._write(CLIENT_LEFT, 0, b"")
        if self._then is not None:
            self._then()

    def _write(self, status: int, size: int, lines: bytes) -> None:
        seconds = time.monotonic() - self._began
        self._log.write(Exchange(self._scope, status, size, seconds, _split(lines)))


def _split(lines: bytes) -> Headers:
    pairs = [line.partition(b": ") for line in lines.split(b"\r\n") if line]
    return [(name, value) for name, _, value in pairs]
