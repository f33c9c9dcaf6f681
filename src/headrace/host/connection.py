"""What our protocol offers an application beyond ASGI, through the scope's extensions."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

EXTENSION = "headrace.connection"


SMALL_BYTES = 1 << 16
"""Longer bodies take the way of ASGI, where a limit or a slow sender can stop them on the way."""


class Connection(Protocol):
    """One client's connection, for the length of one request."""

    lost: bool
    """Whether the client went away."""
    on_lost: Callable[[], None] | None
    """Whom to call when it does."""

    def respond(self, scope: object, status: int, headers: bytes, body: bytes) -> bool:
        """Send a whole response in one write, `headers` as lines; tell if that was possible.

        If not, nothing was sent, and ASGI's `send` is the way.
        """


Lane = Callable[[MutableMapping[str, Any], bytes, Connection], None]
"""Answers a whole small request through its connection: see `host.protocol.Protocol`."""
