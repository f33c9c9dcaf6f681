"""What code of the user's may send as a response, and how a request ends when it sends otherwise.

    life        start       body, more   body, last   anything else
    FRESH       STARTED     fault        fault        fault
    STARTED     fault       STARTED      ENDED        fault
    ENDED       fault       fault        fault        fault

A fault, an exception, and a return without a whole response are logged under the request's id. In
FRESH the client gets a 500; in STARTED its connection is aborted, so that half a response cannot
pass for one; in ENDED it has its response, and hears of nothing.
"""

from __future__ import annotations

import logging
import re
from enum import Enum, auto
from typing import Any

from headrace.errors import HeadraceError
from headrace.http.hangup import Cut, connection_of
from headrace.http.labels import label_of
from headrace.http.messages import App, Headers, Message, Receive, Scope, Send, respond
from headrace.http.problems import from_error, problem

log = logging.getLogger("headrace.http")
LABEL = b"x-request-id"
NO_CONTENT, NOT_MODIFIED = 204, 304
LEAST_STATUS, MOST_STATUS = 200, 599
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_NUMBER = re.compile(rb"[0-9]{1,18}")


class BadAnswer(RuntimeError):
    """The application sent what is no response; raised where it did."""


class Life(Enum):
    """How far a response has come."""

    FRESH = auto()
    STARTED = auto()
    ENDED = auto()


class Guard:
    """An application of the user's, of which only whole and well-formed responses leave."""

    def __init__(self, app: App) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `App`; WebSockets and lifespans pass as they are."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self.run(scope, receive, Answer(scope, send))

    async def run(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        """Answer one request with this answer, whatever it is made of."""
        error: Exception | None = None
        try:
            await self._app(scope, receive, answer.send)
        except Cut:
            raise
        except Exception as raised:  # noqa: BLE001 - the client waits for a response
            error = raised
        else:
            if answer.life is Life.ENDED and answer.fault is None:
                return
        if answer.fault is not None:
            error = answer.fault  # also where the application made nothing of it
        elif error is None and answer.life is not Life.ENDED:
            error = BadAnswer(f"it returned with its response {answer.life.name.lower()}")
        if error is not None:
            await _end(scope, answer, error)


async def _end(scope: Scope, answer: Answer, error: Exception) -> None:
    """Log the error, and give the client what the response's life leaves room for."""
    label = answer.label or label_of(dict(scope["headers"]).get(LABEL))
    connection, send = connection_of(scope), answer.pass_on
    if connection is not None and connection.lost:
        log.debug("request %s: after its client had left", label.decode(), exc_info=error)
        return
    if answer.life is Life.FRESH and isinstance(error, HeadraceError):
        await respond(send, from_error(error, label.decode()), label)
        return
    log.error("request %s: the application failed", label.decode(), exc_info=error)
    if answer.life is Life.FRESH:
        detail = "the application failed; the server's log has it under this request id"
        await respond(send, problem(500, "application_failed", detail, label.decode()), label)
    elif answer.life is Life.STARTED:
        _abort(connection, error)


def _abort(connection: Any, error: Exception) -> None:
    """End the connection where our own protocol can; a foreign server does it when we raise."""
    abort = getattr(connection, "abort", None)
    if abort is None:
        raise BadAnswer("the response was cut off") from error
    abort()


class Answer:
    """One response on its way out."""

    life = Life.FRESH
    fault: BadAnswer | None = None
    refusal: HeadraceError | None = None
    """Why the request is refused, which no answer of the application's is to hide."""
    _left: int | None = None

    def __init__(self, scope: Scope, send: Send, given: bytes = b"") -> None:
        """Send by `send`; a response without a label is `given` one."""
        self.pass_on, self._given, self.label = send, given, given
        self._is_bodiless = scope["method"] == "HEAD"

    async def send(self, message: Message) -> None:
        """Pass a message on if it may come now and is well formed. Raises BadAnswer."""
        if self.fault is not None:
            raise self.fault
        if self.refusal is not None and self.life is Life.FRESH:
            raise self.refusal
        try:
            checked = self._checked(message)
        except BadAnswer as fault:
            self.fault = fault
            raise
        await self.pass_on(checked)

    def _checked(self, message: Message) -> Message:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "http.response.start" and self.life is Life.FRESH:
            return self._started(message)
        if kind == "http.response.body" and self.life is Life.STARTED:
            return self._continued(message)
        raise BadAnswer(f"it sent {kind!r} with its response {self.life.name.lower()}")

    def _started(self, message: Message) -> Message:
        status = message.get("status")
        if type(status) is not int or not LEAST_STATUS <= status <= MOST_STATUS:
            raise BadAnswer(f"a status is {LEAST_STATUS} to {MOST_STATUS}, not {status!r}")
        headers = _checked_headers(message.get("headers", ()))
        lengths = [value for name, value in headers if name == b"content-length"]
        if len(lengths) > 1:
            raise BadAnswer("Content-Length is there twice")
        if status == NO_CONTENT:  # it may not say how long nothing is (RFC 9110, 8.6)
            headers = [header for header in headers if header[0] != b"content-length"]
        self._is_bodiless = self._is_bodiless or status in (NO_CONTENT, NOT_MODIFIED)
        if lengths and not self._is_bodiless:
            self._left = int(lengths[0])
        self.label = dict(headers).get(LABEL, b"")
        if self._given and not self.label:
            self.label = self._given
            headers.append((LABEL, self._given))
        self.life = Life.STARTED
        return {"type": "http.response.start", "status": status, "headers": headers}

    def _continued(self, message: Message) -> Message:
        body = message.get("body", b"")
        if not isinstance(body, bytes | bytearray | memoryview):
            raise BadAnswer(f"a body is bytes, not {type(body).__name__}")
        more = bool(message.get("more_body"))
        if self._is_bodiless or type(body) is not bytes:
            body = b"" if self._is_bodiless else bytes(body)
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0:
                raise BadAnswer("the body is longer than its Content-Length")
            if self._left and not more:
                raise BadAnswer(f"the body ends {self._left} bytes short of its Content-Length")
        if not more:
            self.life = Life.ENDED
        return {"type": "http.response.body", "body": body, "more_body": more}


def _checked_headers(given: Any) -> Headers:
    """Return the headers, names in lower case. Raises BadAnswer."""
    headers: Headers = []
    try:
        for name, value in given:
            headers.append(_checked_header(name, value))
    except (TypeError, ValueError) as error:
        raise BadAnswer(f"headers are pairs of bytes: {error}") from error
    return [header for header in headers if header[0] != b"transfer-encoding"]


def _checked_header(name: Any, value: Any) -> tuple[bytes, bytes]:
    if not isinstance(name, bytes) or not _TOKEN.fullmatch(name):
        raise BadAnswer(f"{name!r} is no header name (RFC 9110, 5.1)")
    if not isinstance(value, bytes) or not _VALUE.fullmatch(value):
        raise BadAnswer(f"{value!r} is no value of the header {name.decode()} (RFC 9110, 5.5)")
    name = name.lower()
    if name == b"content-length" and not _NUMBER.fullmatch(value):
        raise BadAnswer(f"Content-Length is a number, not {value!r}")
    if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
        raise BadAnswer(f"the only Transfer-Encoding is chunked, not {value!r}")
    return name, value
