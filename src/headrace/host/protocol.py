"""uvicorn's HTTP/1.1 protocol, and what it lacks.

It tells of a lost client, lets kept-alive clients go politely, and has an express lane: a small
request for a model is handed over as a whole, and answered in one write. No task, no event and no
message is made for it, which takes a third off the worker's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from headrace.host.connection import EXTENSION, SMALL_BYTES, Lane

LINGER_S = 1.0
LONGEST_URL_BYTES = 16 << 10
MOST_HEADERS = 100
LONGEST_HEADERS_BYTES = 64 << 10
DIGITS = 5
HEADERS_S = 10.0
BODY_S = 30.0
NOT_HTTP = (400, "this is not HTTP/1.1")
PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}
CODES = {400: b"bad_request", 408: b"request_timeout", 414: b"uri_too_long", 431: b"too_large"}
_REFUSAL = (
    b"%scontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
)


class Protocol(HttpToolsProtocol):
    """One connection; see `host.connection.Connection` for what an application sees of it.

    uvicorn closes every connection that looks idle when it shuts down, also those whose next
    request is already in the kernel: its client sees a reset. Ours answers that request with
    `Connection: close`, and closes what stays silent for `LINGER_S`.
    """

    lost = False
    on_lost: Callable[[], None] | None = None
    _leaving = False
    _active: RequestResponseCycle | None = None
    _lane: Lane | None = None
    _refused = _in_headers = False
    _wrong = NOT_HTTP
    _began = 0.0
    _fed_bytes = _chunk_bytes = 0
    _is_small = False

    # --- for the application ---------------------------------------------------------------

    def respond(self, scope: object, status: int, headers: bytes, body: bytes) -> bool:
        """Send a whole response in one write: see `host.connection.Connection`."""
        cycle = self._active
        if cycle is None or cycle.scope is not scope or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        if self.lost:
            return True
        dated = b"".join([b"%s: %s\r\n" % header for header in cycle.default_headers])
        if cycle.keep_alive:
            self.transport.write(b"%s%s%s\r\n%s" % (STATUS_LINE[status], dated, headers, body))
        else:
            head = b"%s%sconnection: close\r\n%s" % (STATUS_LINE[status], dated, headers)
            self.transport.write(b"%s\r\n%s" % (head, body))
            self.transport.close()
        self.on_response_complete()
        return True

    # --- against bad requests --------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read what comes, unless the client was refused: then it only speaks to the end."""
        if self._refused:
            return
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._in_headers:
            self._fed_bytes += len(data)
            if self._fed_bytes > LONGEST_HEADERS_BYTES:
                self.refuse(*self._too_long())

    def _check_headers(self) -> None:
        """Refuse what two servers could read in two ways (RFC 9112, 3.2 and 6.1)."""
        hosts, encodings, host, length = 0, 0, b"", None
        for name, value in self.headers:
            if name == b"host":
                hosts, host = hosts + 1, value
            elif name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                encodings += 1
        if hosts > 1 or encodings > 1:
            self._give_up(400, "Host or Transfer-Encoding is there twice")
        if encodings and length is not None:
            self._give_up(400, "Content-Length and Transfer-Encoding are both there")
        if not host and self.parser.get_http_version() == "1.1":
            self._give_up(400, "Host is missing or empty")
        # The parser has seen to the digits; "65535" is as long as a small one gets.
        self._is_small = length is not None and len(length) <= DIGITS and int(length) < SMALL_BYTES

    def _check_sizes(self) -> None:
        """Bound the URL and the headers; what came in less bytes than that needs no count."""
        if len(self.headers) > MOST_HEADERS:
            self._give_up(431, f"there are more than {MOST_HEADERS} headers")
        if self._fed_bytes + self._chunk_bytes > LONGEST_URL_BYTES:
            total = sum([len(name) + len(value) for name, value in self.headers])
            if len(self.url) > LONGEST_URL_BYTES or total > LONGEST_HEADERS_BYTES:
                self._give_up(*self._too_long())

    def _too_long(self) -> tuple[int, str]:
        if len(self.url) > LONGEST_URL_BYTES:
            return 414, f"the URL is over {LONGEST_URL_BYTES} bytes"
        return 431, f"the headers are over {LONGEST_HEADERS_BYTES} bytes"

    def _give_up(self, status: int, detail: str) -> NoReturn:
        self._wrong = (status, detail)
        raise ValueError(detail)  # the parser stops, and uvicorn calls send_400_response

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words say less
        """Refuse a request that is no good as HTTP."""
        self.refuse(*self._wrong)

    def refuse(self, status: int, detail: str) -> None:
        """Answer a request that has no task yet, and end the connection in order.

        The client gets `LINGER_S` to read why: to close at once would reset what it still sends,
        and the answer with it. With an answer still owed, that one is the last.
        """
        self._refused = True
        active = self._active
        if active is not None and not active.response_complete:
            if active is not self.cycle or not active.more_body or active.response_started:
                active.keep_alive = False  # it is another request that is wrong
                return
            active.disconnected = True  # its task, if it has one, hears that nobody is there
            active.message_event.set()
        self._lane = None
        body = b'{"type":"about:blank","title":"%s","status":%d,"code":"%s","detail":"%s"}' % (
            *(PHRASES[status].encode(), status, CODES[status], detail.encode()),
        )
        self.transport.write(_REFUSAL % (STATUS_LINE[status], len(body), body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def check_pace(self, now: float) -> None:
        """Refuse a client that dawdles over its headers, or over a small body."""
        if self._refused or not self._began:
            return
        if self._lane is not None and now > self._began + BODY_S:
            self.refuse(408, f"the body did not come within {BODY_S:g} s")
        elif self._in_headers and now > self._began + HEADERS_S:
            self.refuse(408, f"the headers did not come within {HEADERS_S:g} s")

    # --- for uvicorn -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: see uvicorn."""
        super().connection_made(transport)
        self.silent_since = self.loop.time()
        self._lanes: Mapping[str, Lane] = getattr(self.app, "lanes", {})

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request under way that nobody waits for it."""
        super().connection_lost(exc)
        self.lost, self._lane = True, None
        if self.on_lost is not None:
            self.on_lost()

    def on_message_begin(self) -> None:
        """Put ourselves into the new request's scope."""
        super().on_message_begin()
        self._fed_bytes, self._wrong = 0, NOT_HTTP
        self._in_headers, self._began = True, self.loop.time()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["extensions"] = {EXTENSION: self}

    def on_headers_complete(self) -> None:
        """Check the headers as a whole; make a leaving connection's next answer its last one."""
        self._in_headers = False
        self._check_sizes()
        self._check_headers()
        super().on_headers_complete()
        if self._leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin a request: on the express lane if it has one and is small, else as a task."""
        self._active = cycle
        lane = self._lanes.get(cycle.scope["path"])
        if lane is not None and self._is_small and cycle is self.cycle and self._is_plain(cycle):
            self._lane = lane
        else:
            super()._start_asgi_task(cycle, app)

    def _is_plain(self, cycle: RequestResponseCycle) -> bool:
        return cycle.more_body and not self.expect_100_continue and not self.flow.write_paused

    def on_message_complete(self) -> None:
        """Hand over a request that came by the express lane."""
        super().on_message_complete()
        lane, cycle = self._lane, self._active
        if lane is not None and cycle is not None:
            self._lane = None
            lane(cycle.scope, bytes(cycle.body), self)  # type: ignore[arg-type] # TypedDict

    def on_response_complete(self) -> None:
        """Go on to the next request, if it is here already; see uvicorn.

        `Listening` looks for silent connections once a second: a timer for each answer, set
        and cancelled, would cost more than the answer's headers.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.silent_since = self.loop.time()

    def close_if_silent(self, before: float) -> None:
        """Close a connection that is idle, and has been since `before` on the loop's clock."""
        if self.silent_since < before and self._is_idle():
            self.transport.close()

    def shutdown(self) -> None:
        """Let the connection go after its next answer, or after a silence."""
        if self._leaving:
            return
        self._leaving = True
        if self._is_idle():
            self.loop.call_later(LINGER_S, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete
