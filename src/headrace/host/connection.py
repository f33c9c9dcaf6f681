"""What our protocol offers an application beyond ASGI, through the scope's extensions."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

EXTENSION = "headrace.connection"


SMALL_BYTES = 1 << 16
"""Up to here a body is taken as a whole; a longer one needs a place to land."""


class Connection(Protocol):
    """One client's connection, for the length of one request."""

    lost: bool
    """Whether the client went away."""
    on_lost: Callable[[], None] | None
    """Whom to call when it does."""

    def respond(self, scope: object, status: int, headers: bytes, body: bytes | memoryview) -> bool:
        """Send a whole response in one write, `headers` as lines; tell if that was possible.

        If not, nothing was sent, and ASGI's `send` is the way.
        """

    def run(self, app: Any) -> None:
        """Answer a request of the express lane by this ASGI application, as it has grown large."""

    def abort(self) -> None:
        """End the connection without an end of the response under way."""


Scope = MutableMapping[str, Any]


class Landing(Protocol):
    """A place for one large body; it ends with `done` or with `close`."""

    @property
    def size(self) -> int:
        """How many bytes came."""

    def add(self, part: bytes) -> None:
        """Take what came next."""

    def rest(self) -> memoryview | None:
        """Return where the rest is to be written; None where that is not one place."""

    def advance(self, nbytes: int) -> bool:
        """Count what was written there; tell if it is the whole body now."""

    def done(self) -> None:
        """All of it came: answer the request."""

    def close(self) -> None:
        """The rest will not come."""


class Lane(Protocol):
    """Answers requests through their connection, without ASGI: see `host.protocol.Protocol`."""

    @property
    def least_length(self) -> int:
        """The shortest body it takes; `host.grammar.NO_BODY` for requests without one, too."""

    def take(self, scope: Scope, body: bytes, connection: Connection) -> None:
        """Answer a small request that is here as a whole."""

    def land(self, scope: Scope, length: int, connection: Connection) -> Landing | None:
        """Make a place for a large body; None if the request is to go the way of ASGI."""
