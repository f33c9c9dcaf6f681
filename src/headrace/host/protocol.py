"""uvicorn's HTTP/1.1 protocol, and what it lacks.

It tells of a lost client, lets kept-alive clients go politely, and has an express lane: a small
request is handed over as a whole, and answered in one write, which takes a third off its time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from headrace.host.connection import SMALL_BYTES, Lane
from headrace.host.doorkeeper import Doorkeeper, Entry
from headrace.host.funnel import Funnel
from headrace.host.grammar import (
    CHUNKED,
    NO_BODY,
    Unclear,
    check_headers,
    check_sizes,
    follow_target,
    too_long,
)
from headrace.host.lean import Cycle, LeanProtocol
from headrace.host.limits import Limits
from headrace.host.refusals import FULL, NOT_HTTP, refusal
from headrace.host.switching import parser_of_body
from headrace.host.unchunked import cut, fitted
from headrace.host.unsent import Stall, drop

LINGER_S = 1.0
LEFTOVER_S = 10.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SLASH = ord("/")
PROBES = b"/-/health"


class Protocol(LeanProtocol):
    """One connection; see `host.connection.Connection` for what an application sees of it.

    uvicorn closes every connection that looks idle when it shuts down, also those whose next
    request is already in the kernel: its client sees a reset. Ours answers that request with
    `Connection: close`, and closes what stays silent for `drain_linger_s`.
    """

    lost = False
    on_lost: Callable[[], None] | None = None
    _leaving = False
    _active: Cycle | None = None
    _lane: Lane | None = None
    _funnel: Funnel | None = None
    _refused = _in_headers = False
    _wrong = NOT_HTTP
    _began = 0.0
    _fed_bytes = 0
    _came = b""
    _length = NO_BODY
    _in_body = _skips_body = False
    _good_host = b""
    _on_probation = False
    _dates: list[tuple[bytes, bytes]] | None = None
    _dated = b""

    def __init__(self, *args: Any, limits: Limits, doorkeeper: Doorkeeper, **kwargs: Any) -> None:
        """Take what uvicorn gives, and what is the server's."""
        super().__init__(*args, **kwargs)
        self._limits, self._doorkeeper = limits, doorkeeper
        self._stall = Stall()

    # --- for the application ---------------------------------------------------------------

    def respond(self, scope: object, status: int, headers: bytes, body: bytes | memoryview) -> bool:
        """Send a whole response in one write: see `host.connection.Connection`."""
        cycle = self._active
        if cycle is None or cycle.scope is not scope or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.wake()  # whoever waits in `receive` hears that it is over
        if self.lost:
            return True
        if cycle.default_headers is not self._dates:  # uvicorn makes them anew once a second
            self._dates = cycle.default_headers
            self._dated = b"".join([b"%s: %s\r\n" % header for header in self._dates])
        closing = b"" if cycle.keep_alive else b"connection: close\r\n"
        head = (STATUS_LINE[status], self._dated, closing, headers, b"\r\n")
        if len(body) < SMALL_BYTES:
            self.transport.write(b"".join((*head, body)))
        else:
            self.transport.write(b"".join(head))
            self.transport.write(body)
        if closing:
            self.transport.close()
        self.on_response_complete()
        return True

    def abort(self) -> None:
        """End the connection without an end of the response under way."""
        if self._active is not None:
            self._active.disconnected = True
        cut(self.transport, self._active)

    # --- against bad requests --------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read what comes, unless the client was refused: then it only speaks to the end."""
        if self._refused:
            return
        self._came = data
        had = len(self.cycle.body) if self._in_body else 0
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self.refuse(*self._wrong)
        except HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])
        if self._refused:
            return
        if self._in_headers:
            self._count_headers(len(data))
        elif self._in_body and self._length == CHUNKED:
            self._count_trimmings(had, len(data))
        elif self._funnel is not None:
            self._funnel.take_over()

    def _count_headers(self, came: int) -> None:
        self._fed_bytes += came
        if self._fed_bytes > self._limits.max_header_bytes:
            self.refuse(*too_long(self.url, self._limits))

    def _count_trimmings(self, had: int, came: int) -> None:
        """Bound trailers and chunks' extensions: what comes without a byte of a body."""
        if len(self.cycle.body) != had or self.is_idle():
            self._fed_bytes = 0
            return
        self._fed_bytes += came
        if self._fed_bytes > (most := self._limits.max_header_bytes):
            self.refuse(431, f"trailers or chunk extensions are over {most} bytes")

    def _switch(self, rest: bytes) -> None:
        """Begin a WebSocket; read on to its end in a request for any other protocol."""
        if self._should_upgrade():
            self.handle_websocket_upgrade()
            return
        if not self._skips_body:
            self._refused = True
            return
        self._skips_body = False
        self.parser = parser_of_body(self._length, self.on_body, self._end_of_last_body)
        try:
            self.parser.feed_data(rest)
        except HttpParserError:
            self.refuse(*self._wrong)

    def _end_of_last_body(self) -> None:
        self._refused = True
        self.on_message_complete()

    def _check_headers(self, version: str) -> None:
        """Refuse what two servers could read in two ways."""
        self._length, self._good_host = check_headers(self.headers, version, self._good_host)
        if self.url[0] != SLASH or b"#" in self.url:  # nearly all targets are plain paths
            follow_target(self.url, self.parser.get_method(), self.headers)
        if self.parser.should_upgrade():
            self._check_upgrade()

    def _check_upgrade(self) -> None:
        """Let a WebSocket begin; another request that would switch is read on, as the last one."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise Unclear(501, "CONNECT is for proxies")
        if self._should_upgrade() and (method != b"GET" or self._length != NO_BODY):
            raise Unclear(400, "a WebSocket begins with a GET that has no body")
        self._skips_body = self._length not in (NO_BODY, 0)

    def _check_room(self) -> None:
        """See how a connection fares that came when the server was full."""
        if self._doorkeeper.has_room(self.connections):  # type: ignore[arg-type] # all are ours
            self._on_probation = False
        elif self.url.startswith(PROBES):
            self._leaving = True
        else:
            raise Unclear(*FULL)

    def refuse(self, status: int, detail: str) -> None:
        """Answer a request that has no task yet, and end the connection in order.

        The client gets `LINGER_S` to read why: to close at once would reset what it still sends,
        and the answer with it. With an answer still owed, that one is the last.
        """
        self._refused = True
        active = self._active
        if active is not None and not active.response_complete:
            if active is not self.cycle or not active.more_body:
                active.keep_alive = False  # it is another request that is wrong
                return
            if active.response_started:
                self.transport.abort()  # the rest of its body will never come
                return
            active.disconnected = True  # its task, if it has one, hears that nobody is there
            active.message_event.set()
        self._leave_lane()
        if not (self._in_body and self.is_idle()):  # else it has its answer
            self.transport.write(refusal(status, detail))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def check_pace(self, now: float) -> None:
        """Refuse a client that dawdles over its headers, or over a small body."""
        if self._refused or not self._began:
            return
        if self._in_body and self.is_idle() and now > self.silent_since + LEFTOVER_S:
            self.transport.close()  # it has its answer, and sends on what nobody reads
        if self.flow.read_paused:  # it is we who do not listen
            self._began = now
        limits, seconds = self._limits, now - self._began
        if self._funnel is not None:
            if words := self._funnel.too_slow(limits, now):
                self.refuse(408, words)
        elif self._lane is not None and seconds > limits.body_idle_timeout_s:
            self.refuse(408, f"the body did not come within {limits.body_idle_timeout_s:g} s")
        elif self._in_headers and seconds > limits.header_timeout_s:
            self.refuse(408, f"the headers did not come within {limits.header_timeout_s:g} s")

    def check_writing(self, now: float) -> None:
        """Give up a client that takes nothing; a task that waits for room hears of the loss."""
        if self._stall.seconds(self.transport, now) > self._limits.write_timeout_s:
            drop(self.transport)

    # --- for uvicorn -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: see uvicorn."""
        super().connection_made(transport)
        self.silent_since = self.loop.time()
        self._lanes: Mapping[str, Lane] = getattr(self.app, "lanes", {})
        entry = self._doorkeeper.receive(self.connections, self.silent_since)  # type: ignore[arg-type]
        self._on_probation = entry is not Entry.WELCOME
        if entry is Entry.AWAY:
            self._refused = True
            transport.write(refusal(*FULL))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request under way that nobody waits for it."""
        super().connection_lost(exc)
        self.lost = True
        self._leave_lane()
        if self._active is not None:  # uvicorn knows the last one only, and others may be piped
            self._active.disconnected = True
            self._active.wake()
        if self.on_lost is not None:
            self.on_lost()

    def on_message_begin(self) -> None:
        """Begin to count a request's time."""
        super().on_message_begin()
        self._fed_bytes, self._wrong = 0, NOT_HTTP
        self._in_headers, self._began = True, self.loop.time()

    def on_headers_complete(self) -> None:
        """Check the headers as a whole; make a leaving connection's next answer its last one."""
        self._in_headers = False
        try:
            came = self._fed_bytes + len(self._came)
            check_sizes(self.headers, self.url, self._limits, came)
            version = self.parser.get_http_version()
            self._check_headers(version)
            if self._on_probation:
                self._check_room()
        except Unclear as error:  # the parser stops, and tells `data_received`
            self._wrong = (error.status, error.detail)
            raise
        self._in_body = True
        self.begin(version)
        if self._length == CHUNKED:
            self.headers = []  # for trailers: they are not to pass for headers
        if self._leaving or self.parser.should_upgrade():
            self._let_it_be_the_last()

    def enter(self, cycle: Cycle, app: Any) -> None:
        """Begin a request: on the express lane if it has one and may take it, else as a task."""
        self._active = cycle
        lane = self._lanes.get(cycle.scope["path"])
        if lane is None or not self._may_take(lane, cycle):
            self.run(app)

    def run(self, app: Any) -> None:
        """Answer the request under way by ASGI: see `host.connection.Connection`."""
        if (cycle := self._active) is not None:
            self.start(cycle, fitted(app, cycle))

    def _may_take(self, lane: Lane, cycle: Cycle) -> bool:
        """Set a request of known length on the express lane, a large body's landing made."""
        is_next = not self.flow.write_paused and cycle.more_body and cycle is self.cycle
        if not is_next or self.parser.should_upgrade():
            return False
        if lane.least_length <= self._length < SMALL_BYTES and not self.expect_100_continue:
            self._lane = lane
        elif self._length >= SMALL_BYTES:
            landing = lane.land(cycle.scope, self._length, self)  # type: ignore[arg-type] # TypedDict
            if landing is not None:
                self._funnel = Funnel(landing, self)
                if self.expect_100_continue:
                    self.transport.write(CONTINUE)
        return self._lane is not None or self._funnel is not None

    def on_body(self, body: bytes) -> None:
        """Land a large body where it is to stay; see uvicorn for others."""
        if self._funnel is None:
            super().on_body(body)
        else:
            self._funnel.add(body)

    def landed(self) -> None:
        """Go on after a large body that did not come through the parser."""
        self.parser = type(self.parser)(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.on_message_complete()

    def on_message_complete(self) -> None:
        """Hand over a request that came by the express lane."""
        if self._skips_body:
            return  # httptools means the headers
        super().on_message_complete()
        self._in_body = False
        lane, funnel, cycle = self._lane, self._funnel, self._active
        if lane is not None and cycle is not None:
            self._lane = None
            lane.take(cycle.scope, bytes(cycle.body), self)  # type: ignore[arg-type] # TypedDict
        elif funnel is not None:
            self._funnel = None
            funnel.landing.done()

    def _leave_lane(self) -> None:
        """Nothing more will come of the body that is on its way."""
        self._lane = None
        if self._funnel is not None:
            self._funnel.give_up()
            self._funnel = None

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
            self.enter(*self.pipeline.pop())
        else:
            self.silent_since = self.loop.time()

    @property
    def waiting_since(self) -> float:
        """See `host.doorkeeper.Guest`."""
        if self._refused or self.transport.is_closing() or not self.is_idle():
            return math.inf
        return self._began if self._in_headers else self.silent_since

    def leave(self) -> None:
        """See `host.doorkeeper.Guest`."""
        self.transport.close()

    def close_if_silent(self, before: float) -> None:
        """Close a connection that is idle, and has been since `before` on the loop's clock."""
        if self.silent_since < before and self.is_idle() and not self._in_headers:
            self.transport.close()

    def shutdown(self) -> None:
        """Let the connection go after its next answer, or after a silence."""
        if self._leaving:
            return
        self._leaving = True
        if self.is_idle():
            self.loop.call_later(self._limits.drain_linger_s, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _let_it_be_the_last(self) -> None:
        cycle: Cycle | None = self.cycle  # None for a WebSocket
        if cycle is not None:
            cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self.is_idle():
            self.transport.close()

    def is_idle(self) -> bool:
        """Tell whether no request is under way."""
        cycle: Cycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete
