"""One WebSocket of an application: what it receives and sends, and how the conversation ends.

    life          accept   send    close          denial (websocket.http.response.*)
    CONNECTING    OPEN     fault   DENIED, 403    DENIED, with this response
    OPEN          fault    OPEN    CLOSED         fault
    others        fault    fault   fault          fault

A client that leaves is heard of by `websocket.disconnect`, behind all that it sent. What the
application sends after that raises an OSError, as ASGI says.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import Any

from headrace.model.envelope import Closed, Head, Message, Opened, Reply
from headrace.model.faults import fault_of
from headrace.replica.asgi_head import BadAnswer, body_of, headers_of, start_of
from headrace.replica.asgi_http import WHO, bytes_of
from headrace.replica.asgi_types import App, Event
from headrace.replica.exchange import ClientGone, Exchange

log = logging.getLogger("headrace.replica")
NORMAL, ABNORMAL = 1000, 1006
LEFT = Message("websocket.disconnect", code=ABNORMAL)


class Life(Enum):
    """How far a conversation has come."""

    CONNECTING = auto()
    OPEN = auto()
    DENIED = auto()
    CLOSED = auto()


class SocketExchange:
    """The two ends of one conversation, as `receive` and `send`."""

    def __init__(self, exchange: Exchange, head: Head) -> None:  # noqa: ARG002 - as for HTTP
        """Nothing was said."""
        self._exchange = exchange
        self._life = Life.CONNECTING
        self._has_connected = self._denies = False
        self._fault: BadAnswer | None = None
        exchange.want()  # so that a client that leaves is heard of, whatever the application reads

    async def run(self, app: App, scope: Any) -> Reply:
        """Let the application converse; return what is left to say in the end."""
        error: Exception | None = None
        try:
            await app(scope, self.receive, self.send)
        except Exception as raised:  # noqa: BLE001 - the client waits for an end
            error = raised
        if error is None and self._life is Life.CONNECTING and not self._exchange.is_gone:
            error = BadAnswer("it returned before it accepted or refused the WebSocket")
        return Closed() if error is None else self._failed(self._fault or error)

    def _failed(self, error: Exception) -> Reply:
        exchange = self._exchange
        if exchange.is_gone or self._life is Life.CLOSED:
            log.debug("request %s: after its WebSocket's end", exchange.label, exc_info=error)
            return Closed()
        return fault_of(error, WHO, [exchange.context])

    # --- in ------------------------------------------------------------------------------

    async def receive(self) -> Event:
        """See ASGI."""
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        message = await self._exchange.next()
        if message.name == "websocket.receive":
            if message.text is not None:
                return {"type": "websocket.receive", "text": message.text}
            return {"type": "websocket.receive", "bytes": bytes_of(message)}
        self._exchange.hear(message)  # for whoever asks again
        code, reason = message.code, message.text or ""
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    # --- out -----------------------------------------------------------------------------

    async def send(self, event: Event) -> None:
        """See ASGI. Raises BadAnswer, ClientGone."""
        if self._exchange.is_gone:
            raise ClientGone("the client left")
        try:
            await self._take(event)
        except BadAnswer as fault:
            self._fault = fault
            raise

    async def _take(self, event: Event) -> None:
        kind = event.get("type") if isinstance(event, dict) else None
        match self._life, kind:
            case Life.CONNECTING, "websocket.accept":
                await self._accept(event)
            case Life.CONNECTING, "websocket.http.response.start" if not self._denies:
                self._denies = True
                start = start_of(event)
                await self._exchange.put(Opened(start.status, start.content_type, start.headers))
            case Life.CONNECTING, "websocket.http.response.body" if self._denies:
                await self._deny(event)
            case Life.OPEN, "websocket.send":
                await self._exchange.put(_sent(event))
            case ((Life.CONNECTING | Life.OPEN), "websocket.close") if not self._denies:
                await self._close(event)
            case _:
                life = self._life.name.lower()
                raise BadAnswer(f"it sent {kind!r} with its WebSocket {life}")

    async def _accept(self, event: Event) -> None:
        protocol, headers = event.get("subprotocol"), headers_of(event.get("headers") or ())
        if protocol is not None and not isinstance(protocol, str):
            raise BadAnswer(f"a subprotocol is text, not {protocol!r}")
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._life = Life.OPEN
        await self._exchange.put(Message("websocket.accept", text=protocol, headers=encoded))

    async def _deny(self, event: Event) -> None:
        if body := body_of(event):
            await self._exchange.put(body)
        if not event.get("more_body"):
            self._life = Life.DENIED

    async def _close(self, event: Event) -> None:
        code, reason = event.get("code", NORMAL), event.get("reason") or ""
        if type(code) is not int or not isinstance(reason, str):
            raise BadAnswer(f"a close has a number and text, not {code!r} and {reason!r}")
        self._life = Life.DENIED if self._life is Life.CONNECTING else Life.CLOSED
        await self._exchange.put(Message("websocket.close", text=reason, code=code))
        self._exchange.hear(Message("websocket.disconnect", text=reason, code=code))


def _sent(event: Event) -> Message:
    data, text = event.get("bytes"), event.get("text")
    if isinstance(text, str):
        return Message("websocket.send", text=text)
    if isinstance(data, bytes | bytearray | memoryview):
        return Message("websocket.send", data=bytes(data))
    kind = type(data if text is None else text).__name__
    raise BadAnswer(f"a WebSocket sends text or bytes, not {kind}")
