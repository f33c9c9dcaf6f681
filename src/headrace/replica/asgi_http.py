"""One HTTP request of an application: what it receives, what of its response leaves, and when.

the application                              what leaves
sends a whole response and returns           one Answer
sends it, and goes on (a background task)    the response at once; the call ends when it returns
sends its body in pieces                     each piece as it comes, while its reader has room
raises before any of it                      a fault, and the log has the traceback
raises in the midst of it                    a fault; its client's connection is cut
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from headrace.model.envelope import Answer, Closed, Fault, Head, Message, Opened, Reply
from headrace.model.faults import fault_of
from headrace.replica.asgi_head import BadAnswer, Start, body_of, start_of
from headrace.replica.asgi_types import App, Event
from headrace.replica.exchange import Exchange

log = logging.getLogger("headrace.replica")
PIECE_BYTES = 1 << 18
"""A body that is sent in pieces goes in none larger: so credit bounds what is under way."""
END = Message("http.response.end")
LEFT = Message("http.disconnect")
WHO, FAILED = "the application", 500


class HttpExchange:
    """The two ends of one request, as `receive` and `send`."""

    def __init__(self, exchange: Exchange, head: Head) -> None:
        """Nothing came, nothing left."""
        self._exchange = exchange
        self._is_head = head.method == "HEAD"
        self._more = head.more
        self._began_to_read = self._is_over = False
        self._start: Start | None = None
        self._opened = self._ended = False
        self._whole: Answer | None = None
        self._left: int | None = None
        self._fault: BadAnswer | None = None

    async def run(self, app: App, scope: Any) -> Reply:
        """Let the application answer; return what is left to say in the end."""
        try:
            await app(scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - the client waits for a response
            return self._failed(error)
        finally:
            self._is_over = True
        if self._fault is not None:
            return self._failed(self._fault)  # also where the application made nothing of it
        if not self._ended:
            how = "began" if self._opened else "sent"
            return self._failed(BadAnswer(f"it returned before it {how} a whole response"))
        return self._last()

    def _last(self) -> Reply:
        return self._whole if self._whole is not None and not self._opened else Closed()

    def _failed(self, error: Exception) -> Reply:
        exchange = self._exchange
        if exchange.is_gone:  # often it is how it found its way out
            log.debug("request %s: after its client left", exchange.label, exc_info=error)
            return Closed()
        fault = fault_of(error, WHO, [exchange.context])
        stands = self._ended and self._fault is None and not self._knows_less(fault)
        return self._last() if stands else fault

    def _knows_less(self, fault: Fault) -> bool:
        """Tell whether it said 500, and raised on, for an error that has an ending of its own."""
        whole = None if self._opened else self._whole
        return whole is not None and whole.status == FAILED and fault.code != "hook_failed"

    # --- in ------------------------------------------------------------------------------

    async def receive(self) -> Event:
        """See ASGI."""
        if self._ended:
            return {"type": "http.disconnect"}
        if not self._began_to_read and not self._more:
            self._began_to_read = True
            body = self._exchange.envelope.body
            return {"type": "http.request", "body": body, "more_body": False}
        message = await self._exchange.next()
        if message.name != "http.request":
            self._exchange.hear(LEFT)  # for whoever asks again
            return {"type": "http.disconnect"}
        self._more = message.more
        self._began_to_read = True
        return {"type": "http.request", "body": bytes_of(message), "more_body": message.more}

    # --- out -----------------------------------------------------------------------------

    async def send(self, event: Event) -> None:
        """See ASGI. Raises BadAnswer, ClientGone."""
        if self._fault is not None:
            raise self._fault
        try:
            await self._take(event)
        except BadAnswer as fault:
            self._fault = fault
            raise

    async def _take(self, event: Event) -> None:
        kind = event.get("type") if isinstance(event, dict) else None
        if kind == "http.response.start" and self._start is None:
            self._start = start_of(event)
            self._left = None if self._bodiless else self._start.length
        elif kind == "http.response.body" and self._start is not None and not self._ended:
            await self._take_body(self._start, event)
        else:
            life = "ended" if self._ended else "started" if self._start else "not started"
            raise BadAnswer(f"it sent {kind!r} with its response {life}")

    @property
    def _bodiless(self) -> bool:
        return self._is_head or (self._start is not None and self._start.is_bodiless)

    async def _take_body(self, start: Start, event: Event) -> None:
        body, more = body_of(event), bool(event.get("more_body"))
        if self._bodiless:
            body = b""
        self._count(len(body), more=more)
        if more or self._opened:
            await self._open(start)
            for at in range(0, len(body), PIECE_BYTES):
                await self._exchange.put(body[at : at + PIECE_BYTES])
            self._ended = not more
        else:
            headers = start.all_headers if self._bodiless else start.headers
            self._whole = Answer(start.status, start.content_type, body, headers)
            self._ended = True
        if self._ended:
            self._exchange.hear(LEFT)  # whoever listens for it need not wait any more
            asyncio.get_running_loop().call_soon(self._send_end)

    def _count(self, size: int, *, more: bool) -> None:
        if self._left is None:
            return
        self._left -= size
        if self._left < 0:
            raise BadAnswer("the body is longer than its Content-Length")
        if self._left and not more:
            raise BadAnswer(f"the body ends {self._left} bytes short of its Content-Length")

    async def _open(self, start: Start) -> None:
        if not self._opened:
            self._opened = True
            await self._exchange.put(Opened(start.status, start.content_type, start.all_headers))

    def _send_end(self) -> None:
        """Let the response leave: the application goes on, and its client need not wait for that.

        It is called after the turn that ended the response; most have returned in it.
        """
        if self._is_over or self._exchange.is_gone:
            return
        whole = self._whole
        if whole is not None and not self._opened:
            self._opened = True
            exchange, body = self._exchange, whole.body
            exchange.put_now(Opened(whole.status, whole.content_type, _sized(whole)))
            if isinstance(body, bytes):
                for at in range(0, len(body), PIECE_BYTES):
                    exchange.put_now(body[at : at + PIECE_BYTES])
        self._exchange.put_now(END)


def _sized(whole: Answer) -> list[tuple[str, str]]:
    if any(name == "content-length" for name, _ in whole.headers):
        return whole.headers
    return [*whole.headers, ("content-length", str(len(whole.body)))]  # type: ignore[arg-type] # bytes


def bytes_of(message: Message) -> bytes:
    """Return what a message brings, as bytes of its own."""
    data = message.data
    if data is None or isinstance(data, bytes):
        return data or b""
    return bytes(data.open())
