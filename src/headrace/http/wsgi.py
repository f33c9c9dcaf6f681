"""A WSGI application among our own: requests go in whole, answers come out of threads.

Two ways lead to the threads. A small request comes by our protocol's express lane: no task is made
for it, and a whole answer leaves in one write. Everything else comes by ASGI: large bodies, which
are spooled first so that a slow client holds no thread, and every request under a foreign server.
"""

from __future__ import annotations

import contextvars
import io
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from headrace._version import __version__
from headrace.errors import BadRequest
from headrace.host.connection import Connection
from headrace.host.grammar import NO_BODY
from headrace.host.logs import Complaints
from headrace.http.body import ClientLeft, declared, too_large
from headrace.http.contexts import enter
from headrace.http.environ import Environs
from headrace.http.guard import Guard
from headrace.http.hangup import followed
from headrace.http.labels import label_of
from headrace.http.messages import Headers, Receive, Scope, Send
from headrace.http.problems import from_error, problem
from headrace.http.wsgi_call import Application, Call
from headrace.http.wsgi_threads import Threads

log = logging.getLogger("headrace.http")
SPOOL_BYTES = 1 << 20
"""Up to here a body stays in memory; a longer one goes to a file without a name."""
LABEL = b"x-request-id"
_CLOSE = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Ways:
    """How a WSGI application is to be run."""

    threads: int = 1
    max_body_bytes: int = 64 << 20
    hang_after_s: float = 30.0
    """After so long a request is told in the log, with where it stands."""
    root_path: str = ""
    is_one_of_many: bool = False
    """Other processes run the same application."""


class Wsgi:
    """A WSGI application as an ASGI one, and as an express lane."""

    least_length = NO_BODY

    def __init__(self, app: Application, ways: Ways) -> None:
        """Start its threads."""
        self._app, self._ways = app, ways
        common: Mapping[str, Any] = {
            "wsgi.errors": Complaints(),
            "wsgi.multithread": ways.threads > 1,
            "wsgi.multiprocess": ways.is_one_of_many,
            "SERVER_SOFTWARE": f"headrace/{__version__}",
        }
        self._environs = Environs(common, ways.root_path)
        self._threads = Threads(ways.threads, self._work, _look, ways.hang_after_s)

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way, in a thread or before one."""
        return self._threads.is_busy

    def close(self) -> None:
        """End the threads."""
        self._threads.close()

    # --- the express lane ------------------------------------------------------------------

    def take(self, scope: Scope, body: bytes, connection: Connection) -> None:
        """See `host.connection.Lane`."""
        call = self._call(scope, io.BytesIO(body), len(body))
        if len(body) > self._ways.max_body_bytes:
            refusal = from_error(too_large(self._ways.max_body_bytes), call.label.decode())
            connection.respond(scope, refusal.status, refusal.lines(call.label), refusal.body)
            return
        call.connection = connection
        connection.on_lost = call.leave
        self._threads.put(call)

    def land(self, scope: Scope, length: int, connection: Connection) -> None:
        """Send every large body the way of ASGI, where it is spooled."""

    # --- by ASGI ---------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what the application raises is raised."""
        if scope["type"] != "http":  # WSGI knows no WebSocket
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        headers = dict(scope["headers"])
        try:
            body, length = await self._spooled(receive, declared(headers.get(b"content-length")))
        except ClientLeft:
            return
        call = self._call(scope, body, length)
        call.begin_to_carry()
        self._threads.put(call)
        try:
            async with followed(scope, receive, call.leave):
                await call.carry(scope, receive, send)
        finally:
            call.leave()  # no news if it has ended; the task itself may have been cancelled

    async def _spooled(self, receive: Receive, length: int | None) -> tuple[BinaryIO, int]:
        """Return the whole body as a file. Raises TooLarge, BadRequest, ClientLeft."""
        if length is not None and length > self._ways.max_body_bytes:
            raise too_large(self._ways.max_body_bytes)
        file = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - the application reads it
        try:
            size = await self._fill(file, receive)
        except BaseException:
            file.close()
            raise
        if length is not None and size != length:
            file.close()
            raise BadRequest(f"{size} bytes came of a body of {length}")
        file.seek(0)
        return cast("BinaryIO", file), size

    async def _fill(self, file: tempfile.SpooledTemporaryFile[bytes], receive: Receive) -> int:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part, more = message.get("body", b""), message.get("more_body", False)
            size += file.write(part)
            if size > self._ways.max_body_bytes:
                raise too_large(self._ways.max_body_bytes)
        return size

    # --- in between ------------------------------------------------------------------------

    def _call(self, scope: Scope, body: BinaryIO, length: int) -> Call:
        headers: Headers = scope["headers"]
        given = [value for name, value in headers if name == LABEL]
        label = label_of(given[0] if given else None)
        return Call(scope, label, body, length, self._threads.post)

    def _work(self, call: Call) -> None:
        """Run one call, in its thread."""
        if call.lost:  # while it waited
            call.end()
        else:
            contextvars.Context().run(self._run, call)  # its own: threads serve one after another
        call.body.close()

    def _run(self, call: Call) -> None:
        environ = self._environs.make(call.scope, call.body, call.body_bytes, call.label)
        enter(call.scope, call.label)
        call.run(self._app, environ)


def _look(call: Call) -> None:
    """Send what there is of an answer, in the loop."""
    if call.tell():
        return
    if call.late is not None:
        words = "request %s: the application failed behind its answer"
        log.error(words, call.label.decode(), exc_info=call.late)
        call.late = None
    connection = call.connection
    if call.answered or connection is None:
        return
    if call.lost:
        call.answered = True
        if call.error is not None:
            words = "request %s: after its client had left"
            log.debug(words, call.label.decode(), exc_info=call.error)
    elif call.error is not None:
        _answer_failure(call, connection)
    elif call.ended and _CLOSE not in call.headers:
        _answer_whole(call, connection)
    else:
        call.begin_to_carry()
        call.tell()
        connection.run(Guard(call.carry))


def _answer_whole(call: Call, connection: Connection) -> None:
    call.answered, connection.on_lost = True, None
    body = call.parts[0] if len(call.parts) == 1 else b"".join(call.parts)
    lines = [b"%s: %s\r\n" % header for header in call.headers]
    if call.length is None and not call.is_bodiless:
        lines.append(b"content-length: %d\r\n" % len(body))
    lines.append(b"x-request-id: %s\r\n" % call.label)
    connection.respond(call.scope, call.status, b"".join(lines), body)


def _answer_failure(call: Call, connection: Connection) -> None:
    call.answered, connection.on_lost = True, None
    log.error("request %s: the application failed", call.label.decode(), exc_info=call.error)
    detail = "the application failed; the server's log has it under this request id"
    response = problem(500, "application_failed", detail, call.label.decode())
    body = b"" if call.scope["method"] == "HEAD" else response.body
    connection.respond(call.scope, 500, response.lines(call.label), body)
