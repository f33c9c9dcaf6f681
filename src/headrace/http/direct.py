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

_line = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n").fullmatch
"""Names in small letters: others are the guard's to write."""
_LENGTH = b"content-length"
_GUARDS = frozenset((b"connection", _LENGTH, b"transfer-encoding"))
_OFTEN = frozenset((b"content-type", b"cache-control", b"vary", b"content-encoding", b"server"))
MOST_KNOWN, LONGEST_KNOWN = 256, 128
_known: dict[tuple[bytes, bytes], bytes] = {}
"""Lines found good before: an application has few, and sends them with every response."""

LISTENING_S, MOST_UNHEARD = 1.0, 1000
"""How long an application may send to nobody, and how much: one that never waits stops the loop."""


class ClientGone(OSError):
    """The client left in the midst of a stream; raised where the application sends on."""


class DirectAnswer(Answer):
    """See `Answer`."""

    _held: Message | None = None
    _length: bytes | None = None
    label = b""
    _unheard, _lost_at = 0, 0.0

    def __init__(self, scope: Scope, send: Send, given: bytes = b"") -> None:
        """See `Answer`."""
        self.pass_on, self._given = send, given
        self._is_bodiless = scope["method"] == "HEAD"
        self._scope, self._connection = scope, connection_of(scope)

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
        status = message.get("status")
        if message.get("type") != "http.response.start" or type(status) is not int:
            return False
        if not LEAST_STATUS <= status <= MOST_STATUS or status in BODILESS:
            return False
        lines: list[bytes] = []
        try:
            for header in message.get("headers", ()):
                line = _known.get(header)
                lines.append(self._new_line(*header) if line is None else line)
        except (TypeError, ValueError):
            return False
        if not self.label:
            self.label = self._given
            lines.append(b"x-request-id: %s\r\n" % self._given)
        self._lines = lines
        return True

    def _new_line(self, name: bytes, value: bytes) -> bytes:
        """Return a header's line; none yet for the length, which is the body's own.

        Raises ValueError and TypeError for what is the guard's to write.
        """
        if name == _LENGTH and self._length is None:
            self._length = value
            return b""
        line = b"%s: %s\r\n" % (name, value)
        if name in _GUARDS or not _line(line):
            raise ValueError(name)
        if name == LABEL:
            self.label = value
        elif name in _OFTEN and len(value) <= LONGEST_KNOWN and len(_known) < MOST_KNOWN:
            _known[name, value] = line
        return line

    def _leaves_at_once(self, held: Message, message: Message, connection: Connection) -> bool:
        """Send a response that is whole now; tell if that was possible."""
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or message.get("more_body"):
            return False
        if type(body) is not bytes or self._is_bodiless:
            return False
        size = b"%d" % len(body)
        if self._length is not None and self._length != size:
            return False
        self._lines.append(b"content-length: %s\r\n" % size)
        return connection.respond(self._scope, held["status"], b"".join(self._lines), body)
