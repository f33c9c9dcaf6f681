"""The first moments of TLS connections: a handshake is short, and ends with the server.

An event loop's own TLS listener tells nobody of connections that have not shaken hands yet: they
could be neither counted nor closed, and uvloop then never comes to the end of its own close. So
connections are accepted here, each with a task until its hands are shaken.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

HANDSHAKE_S = 10.0
SHUTDOWN_S = 1.0
AGAIN_S = 1.0
MOST_AT_ONCE = 128
"""Of `host.files.SPARE_FILES`. Others wait in the kernel."""
SETTLED_S = 1.0
"""From then on the eldest goes for a newcomer: neither silence nor a burst keeps anybody out."""
LOOK_EVERY_S = 0.02


@dataclass(slots=True)
class _Guest:
    """Who is at it since when; `sock` is there until the loop owns it."""

    since: float
    sock: socket.socket | None


class Handshakes:
    """Accepts the connections of one listening socket, and knows who is still at it."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]
    ) -> None:
        """`make` gives the protocol of a connection, which is told of it once hands are shaken."""
        self._sock, self._context, self._make = sock, context, make
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[asyncio.Task[None], _Guest] = {}
        self._again: asyncio.TimerHandle | None = None

    def listen(self, backlog: int) -> None:
        """Begin to accept."""
        self._sock.settimeout(0)
        self._sock.listen(backlog)
        self._loop.add_reader(self._sock, self._accept)

    async def close(self) -> None:
        """Accept nobody any more, and end every handshake under way."""
        self._loop.remove_reader(self._sock)
        if self._again is not None:
            self._again.cancel()
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=SHUTDOWN_S)

    def _accept(self) -> None:
        while self._has_room():
            try:
                accepted, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file, no memory: there may be some in a while
                self._pause(AGAIN_S)
                return
            self._begin(accepted)
        self._pause(LOOK_EVERY_S)

    def _has_room(self) -> bool:
        if len(self._under_way) < MOST_AT_ONCE:
            return True
        eldest, guest = next(iter(self._under_way.items()))
        if guest.since > self._loop.time() - SETTLED_S:
            return False
        eldest.cancel()
        self._forget(eldest)
        return True

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock)
        self._again = self._loop.call_later(
            seconds, partial(self._loop.add_reader, self._sock, self._accept)
        )

    def _begin(self, accepted: socket.socket) -> None:
        try:
            accepted.settimeout(0)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # it has left already
            accepted.close()
            return
        guest = _Guest(self._loop.time(), accepted)
        task = self._loop.create_task(self._shake(guest))
        self._under_way[task] = guest
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """Close a connection that its task never came to hand to the loop, which then owns it."""
        guest = self._under_way.pop(task, None)
        if guest is not None and guest.sock is not None:
            guest.sock.close()

    async def _shake(self, guest: _Guest) -> None:
        accepted, guest.sock = guest.sock, None
        assert accepted is not None  # noqa: S101 - for type checkers: it was put there by _begin
        with contextlib.suppress(OSError):  # all that goes wrong with a client is one, and no news
            await self._loop.connect_accepted_socket(
                self._make,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
