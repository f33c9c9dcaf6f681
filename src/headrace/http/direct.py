"""A response of the user's own that leaves in one write, where it is whole and in order.

The start is held back until the first part of the body is there, as ASGI asks. If that part is the
last one and everything is well formed, the response goes past ASGI; anything else goes the guard's
way, which checks it part by part and says what is wrong.
"""

from __future__ import annotations

import re
import time
from typing import Any

from headrace.host.connection import Connection
from headrace.http.guard import LABEL, LEAST_STATUS, MOST_STATUS, Answer, Life
from headrace.http.hangup import connection_of
from headrace.http.messages import BODILESS, Message, Scope, Send

_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9a-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*")
"""Names in small letters: others are the guard's to write."""


LISTENING_S, MOST_UNHEARD = 1.0, 1000
"""How long an application may send to nobody, and how much: one that never waits stops the loop."""


class ClientGone(OSError):
    """The client left in the midst of a stream; raised where the application sends on."""


class DirectAnswer(Answer):
    """See `Answer`."""

    __slots__ = ("_connection", "_held", "_length", "_lines", "_lost_at", "_scope", "_unheard")

    def __init__(self, scope: Scope, send: Send, given: bytes = b"") -> None:
        """See `Answer`."""
        super().__init__(scope, send, given)
        self._scope = scope
        self._connection = connection_of(scope)
        self._held: Message | None = None
        self._unheard, self._lost_at = 0, 0.0

    async def send(self, message: Message) -> None:
        """See `Answer`. Raises ClientGone."""
        held, connection = self._held, self._connection
        if connection is None or type(message) is not dict or self.refusal is not None:
            await super().send(message)
            return
        if held is not None:
            self._held = None
            if self._leaves_at_once(held, message, connection):
                self.life = Life.ENDED
                return
            await super().send(held)
        elif self.life is Life.FRESH and self._is_in_order(message):
            self._held = message
            return
        if connection.lost and message.get("more_body"):
            self._count_unheard()
        await super().send(message)

    def _count_unheard(self) -> None:
        """Give the application time to hear of its client by `receive`: its own way out is better.

        Raises ClientGone for one that does not listen.
        """
        now = time.monotonic()
        self._unheard += 1
        self._lost_at = self._lost_at or now
        if self._unheard > MOST_UNHEARD or now > self._lost_at + LISTENING_S:
            raise ClientGone("the client left")

    def _is_in_order(self, message: dict[str, Any]) -> bool:
        """Tell whether this is a start that nothing is wrong with; make its lines."""
        status, headers = message.get("status"), message.get("headers", ())
        if message.get("type") != "http.response.start" or type(status) is not int:
            return False
        if not LEAST_STATUS <= status <= MOST_STATUS or status in BODILESS:
            return False
        try:
            lines = b"".join([b"%s: %s\r\n" % (name, value) for name, value in headers])
            named = dict(headers)
        except (TypeError, ValueError):
            return False
        if not len(named) == len(headers) == lines.count(b"\r\n") or not _LINES.fullmatch(lines):
            return False  # there is one twice, or a line break inside a value, or worse
        if b"connection" in named or b"transfer-encoding" in named:
            return False
        self._lines, self._length = lines, named.get(b"content-length")
        self.label = named.get(LABEL, b"")
        return True

    def _leaves_at_once(self, held: Message, message: Message, connection: Connection) -> bool:
        """Send a response that is whole now; tell if that was possible."""
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or message.get("more_body"):
            return False
        if type(body) is not bytes:
            return False
        size, length, lines = b"%d" % len(body), self._length, self._lines
        if self._is_bodiless:
            body = b""
        elif length is None:
            lines = b"%scontent-length: %s\r\n" % (lines, size)
        elif length != size:
            return False
        if not self.label:
            self.label = self._given
            lines = b"%sx-request-id: %s\r\n" % (lines, self._given)
        return connection.respond(self._scope, held["status"], lines, body)
