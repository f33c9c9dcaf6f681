"""One request to a WSGI application: a thread makes the answer, the event loop sends it.

The thread calls `run`; everything else here is the loop's, but for the few fields that both see.
Each of those has one writer, or is a deque; the interpreter's lock orders the rest.

    the loop looks, and the answer      it leaves
    has ended                           whole, in one write, its length known
    has begun                           in parts, by ASGI, as fast as the client reads
    has failed, nothing sent yet        as a 500
    has failed after that               cut off
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from headrace.host.connection import Connection
from headrace.http.messages import BODILESS, Headers, Receive, Scope, Send
from headrace.http.wsgi_head import BadCall, head_of, is_bytes

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
WINDOW_BYTES = 1 << 18
PART_COSTS_BYTES = 1 << 10
"""What a part counts beside its bytes: a thread cannot run ahead by a million tiny ones."""


class ClientGone(Exception):
    """Nobody waits for the answer: the application's iterable is to be closed."""


class Failed(RuntimeError):
    """The application raised what is no Exception, such as SystemExit."""


class Call:
    """One request and its answer."""

    __slots__ = (
        "_has_started",
        "_made",
        "_news",
        "_resume",
        "_sent",
        "answered",
        "began",
        "body",
        "body_bytes",
        "connection",
        "ended",
        "error",
        "headers",
        "is_bodiless",
        "label",
        "late",
        "left",
        "length",
        "lost",
        "parts",
        "post",
        "scope",
        "status",
        "thread",
        "was_told",
    )

    def __init__(
        self,
        scope: Scope,
        label: bytes,
        body: BinaryIO,
        body_bytes: int,
        post: Callable[[Call], None],
    ) -> None:
        """`post` asks the loop, from any thread, to look at this call."""
        self.scope, self.label, self.post = scope, label, post
        self.body, self.body_bytes = body, body_bytes
        self.connection: Connection | None = None
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self.left: int | None = None
        self.is_bodiless = False
        self.parts: deque[bytes] = deque()
        self.ended = self.answered = self.lost = self.was_told = False
        self.error: BaseException | None = None
        self.late: BaseException | None = None  # what was raised with the whole answer made
        self.began, self.thread = 0.0, 0
        self._made = self._sent = 0
        self._has_started = False
        self._resume: threading.Event | None = None
        self._news: asyncio.Event | None = None

    # --- in its thread ---------------------------------------------------------------------

    def run(self, app: Application, environ: dict[str, Any]) -> None:
        """Let the application answer; nothing is raised, the loop hears of everything."""
        self.began, self.thread = time.monotonic(), threading.get_ident()
        try:
            self._run(app, environ)
        except ClientGone:
            pass
        except BaseException as error:  # noqa: BLE001 - a client waits for the answer
            if self.ended:
                self.late = error
            else:
                self.error = error
        if not self.ended or self.late is not None:
            self.ended = True
            self.post(self)

    def end(self) -> None:
        """End it unrun."""
        self.ended = True
        self.post(self)

    def _run(self, app: Application, environ: dict[str, Any]) -> None:
        result = app(environ, self.start_response)
        try:
            if isinstance(result, list | tuple):
                self._part(b"".join(result), is_last=True)
            else:
                for part in result:
                    self._part(part)
                    if self.is_bodiless:
                        break
            if not self.status:
                raise BadCall("it returned without calling start_response")
            if self.left:
                raise BadCall(f"the body ends {self.left} bytes short of its Content-Length")
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Begin the answer; see PEP 3333."""
        if exc_info is None and self.status:
            raise BadCall("start_response was called a second time, without exc_info")
        if exc_info is not None and self._made:  # too late to say something else
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it would hold this very frame
        head = head_of(status, headers)
        self.status, self.headers, self.length = head.status, head.headers, head.length
        self.is_bodiless = self.scope["method"] == "HEAD" or head.status in BODILESS
        self.left = None if self.is_bodiless else head.length
        return self._write

    def _write(self, part: bytes) -> None:
        """Send a part at once: PEP 3333's older way."""
        self._part(part)

    def _part(self, part: bytes, *, is_last: bool = False) -> None:
        """Hand a part to the loop; wait where the client reads slowly."""
        if not is_bytes(part):
            raise BadCall(f"a part of the body is bytes, not {type(part).__name__}")
        if not self.status:
            raise BadCall("a part of the body came before start_response was called")
        if self.lost:
            raise ClientGone
        if self.is_bodiless or not part:
            return
        if self.left is not None:
            self.left -= len(part)
            if self.left < 0:
                raise BadCall("the body is longer than its Content-Length")
            is_last = self.left == 0
        self._made += len(part) + PART_COSTS_BYTES
        self.parts.append(part)
        self.ended = is_last
        self.post(self)
        if self._made - self._sent > WINDOW_BYTES and not self.ended:
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        resume = self._resume = threading.Event()
        if self._made - self._sent > WINDOW_BYTES and not self.lost:  # the loop may just have been
            resume.wait()
        self._resume = None

    # --- in the loop -----------------------------------------------------------------------

    def leave(self) -> None:
        """Note that the client went away."""
        self.lost = True
        self._wake()
        if self._news is not None:
            self._news.set()

    def tell(self) -> bool:
        """Wake whoever carries the answer by ASGI; tell if there is anybody."""
        if self._news is None:
            return False
        self._news.set()
        return True

    async def carry(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's three
        """Send the answer by ASGI, to its end. Raises what the application raised."""
        news = self.begin_to_carry()
        try:
            while not await self._send_on(send):
                await news.wait()
                news.clear()
        finally:
            self.answered, self._news = True, None
            connection = self.connection
            if connection is not None and connection.on_lost == self.leave:
                connection.on_lost = None

    async def _send_on(self, send: Send) -> bool:
        """Send what is there; tell if that was all. Raises what the application raised."""
        ended = self.ended  # looked at before the parts: what came last is among them
        parts = [self.parts.popleft() for _ in range(len(self.parts))]
        if self.error is not None:
            raise self.failure()
        if parts or ended:
            if not self._has_started:
                self._has_started = True
                await self._send_start(send, whole=ended, size=sum(map(len, parts)))
            body = b"".join(parts)
            await send({"type": "http.response.body", "body": body, "more_body": not ended})
            self._sent += len(body) + PART_COSTS_BYTES * len(parts)
            self._wake()
        return ended or self.lost

    def begin_to_carry(self) -> asyncio.Event:
        """Let news wake `carry` from now on."""
        if self._news is None:
            self._news = asyncio.Event()
        return self._news

    def failure(self) -> Exception:
        """Return what became of it as an Exception."""
        error = self.error
        return error if isinstance(error, Exception) else Failed(f"it raised {error!r}")

    async def _send_start(self, send: Send, *, whole: bool, size: int) -> None:
        headers = [*self.headers, (b"x-request-id", self.label)]
        if whole and self.length is None and not self.is_bodiless:
            headers.append((b"content-length", b"%d" % size))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})

    def _wake(self) -> None:
        resume = self._resume
        if resume is not None:
            resume.set()
