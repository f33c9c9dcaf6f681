"""uvicorn in our own event loop: it serves a socket until told to stop, and touches no signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import uvicorn

from headrace.host.doorkeeper import Doorkeeper
from headrace.host.files import most_connections
from headrace.host.handshakes import SHUTDOWN_S, Handshakes
from headrace.host.limits import Limits
from headrace.host.protocol import LINGER_S, Protocol

EVERY_S = 1.0
ACCEPTORS = 8
"""Descriptors of one socket to accept from: a loop takes one connection a turn from each.

With one of them a crowd that comes at once waits for as many turns as it has heads, each turn full
of the others' requests. Where several processes share the socket, one each spreads them better.
"""
GOODBYE_EVERY_S = 0.01
CONVERSATION = "headrace.host.conversation:Conversation"


@dataclass(frozen=True, slots=True)
class WebSockets:
    """What holds for WebSockets."""

    max_bytes: int = 16 << 20
    ping_s: float = 20.0
    stay: bool = False
    """Whether they go on after the last answers of their kind: somebody else ends them in time."""


USUAL = WebSockets()


class Listening(uvicorn.Server):
    """One HTTP server on one listening socket."""

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        *,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        sockets: WebSockets = USUAL,
        acceptors: int = ACCEPTORS,
    ) -> None:
        logging.getLogger("uvicorn.error").setLevel(
            logging.ERROR
        )  # garbage from clients is no news
        doorkeeper = Doorkeeper(most_connections(limits.max_connections))
        protocol = partial(Protocol, limits=limits, doorkeeper=doorkeeper)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[Protocol]", protocol),
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # no proxy is trusted unless one is named
                backlog=limits.backlog,
                ws=CONVERSATION,
                ws_max_size=sockets.max_bytes,
                ws_ping_interval=sockets.ping_s,
                ws_ping_timeout=sockets.ping_s,
            )
        )
        self._keep_alive_timeout_s = limits.keep_alive_timeout_s
        self._linger_s = limits.drain_linger_s
        self._sock, self._tls, self._acceptors = sock, tls, acceptors
        self._handshakes: Handshakes | None = None
        self._sockets = sockets
        self._stopped = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to serve."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.on_tick(0)
        await self.startup([self._sock])
        self._serving = asyncio.create_task(self.main_loop())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Listen; with TLS, by handshakes that we can end."""
        if self._tls is None:
            others = [self._sock.dup() for _ in range(self._acceptors - 1)]
            await super().startup([self._sock, *others])
            return
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        connection = partial(make, self.config, self.server_state, self.lifespan.state)
        self._handshakes = Handshakes(self._sock, self._tls, connection)
        self._handshakes.listen(self.config.backlog)
        self.servers, self.started = [], True

    async def main_loop(self) -> None:
        """Keep the Date header true and let silent, slow and stalled clients go, once a second."""
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), EVERY_S)
            await self.on_tick(0)
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.close_if_silent(now - self._keep_alive_timeout_s)
                connection.check_pace(now)
                connection.check_writing(now)

    def _connections(self) -> list[Protocol]:
        everyone = list(self.server_state.connections)
        return [connection for connection in everyone if isinstance(connection, Protocol)]

    @property
    def is_idle(self) -> bool:
        """Whether no client is connected, and nothing runs for one that was."""
        return not self.server_state.connections and not self.server_state.tasks

    @property
    def under_way(self) -> int:
        """How many requests and WebSockets are not over."""
        ours = self._connections()
        others = len(self.server_state.connections) - len(ours)
        return others + sum(not connection.is_idle() for connection in ours)

    async def refuse(self) -> None:
        """Take no new connection: whoever else listens at this address has them."""
        await self._stop_listening()

    def let_go(self) -> None:
        """Answer what comes on the connections there are, once; keep no connection alive."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol) or not self._sockets.stay:
                connection.shutdown()

    async def retire(self, within_s: float | None = None) -> None:
        """Accept nobody, answer who is here as long as that takes, close: another listens already.

        A connection that says nothing is let go after its linger; `within_s` bounds the rest,
        the linger and a second unless it is told.
        """
        within_s = self._linger_s + LINGER_S if within_s is None else within_s
        await self._stop_listening()
        await asyncio.sleep(GOODBYE_EVERY_S)  # asyncio makes a connection some turns after accept
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.server_state.connections:
                    self.let_go()  # again: somebody may have been accepted a moment ago
                    await asyncio.sleep(GOODBYE_EVERY_S)
        await self.close()

    async def close(self) -> None:
        """Stop listening at once, let answers under way leave, close every connection."""
        self._stopped.set()
        await self._stop_listening()
        self.let_go()
        if self._serving is not None:
            await self._serving
        tasks = self.server_state.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=LINGER_S)
        for connection in list(self.server_state.connections):
            connection.transport.close()
        for task in list(tasks):
            task.cancel()
        await self._all_closed()
        self._sock.close()

    async def _stop_listening(self) -> None:
        for server in self.servers:
            server.close()
        if self._handshakes is not None:
            await self._handshakes.close()

    async def _all_closed(self) -> None:
        """Wait for what is still being written; over TLS, for the last word of each side too."""
        for server in self.servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), LINGER_S)
        if self._handshakes is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_S + LINGER_S):
                while self.server_state.connections:  # noqa: ASYNC110 - uvicorn's set has no event
                    await asyncio.sleep(GOODBYE_EVERY_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # then the loop closes what it has let go

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again after its shutdown."""
        yield
