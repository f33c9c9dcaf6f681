"""uvicorn in our own event loop: it serves a socket until told to stop, and touches no signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from headrace.host.protocol import LINGER_S, Protocol

BACKLOG = 2048
EVERY_S = 1.0


class Listening(uvicorn.Server):
    """One HTTP server on one listening socket."""

    def __init__(self, app: Any, sock: socket.socket, *, keep_alive_timeout_s: float) -> None:
        logging.getLogger("uvicorn.error").setLevel(
            logging.ERROR
        )  # garbage from clients is no news
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # no proxy is trusted unless one is named
                backlog=BACKLOG,
            )
        )
        self._keep_alive_timeout_s = keep_alive_timeout_s
        self._sock = sock
        self._stopped = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to serve."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.on_tick(0)
        await self.startup([self._sock])
        self._serving = asyncio.create_task(self.main_loop())

    async def main_loop(self) -> None:
        """Keep the Date header true and let silent clients go, once a second."""
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), EVERY_S)
            await self.on_tick(0)
            before = asyncio.get_running_loop().time() - self._keep_alive_timeout_s
            for connection in self._connections():
                connection.close_if_silent(before)
                connection.check_pace(before + self._keep_alive_timeout_s)

    def _connections(self) -> list[Protocol]:
        everyone = list(self.server_state.connections)
        return [connection for connection in everyone if isinstance(connection, Protocol)]

    def let_go(self) -> None:
        """Answer what comes on the connections there are, once; keep no connection alive."""
        for connection in list(self.server_state.connections):
            connection.shutdown()

    async def close(self) -> None:
        """Stop listening at once, let answers under way leave, close every connection."""
        self._stopped.set()
        for server in self.servers:
            server.close()
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
        for server in self.servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), LINGER_S)
        self._sock.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again after its shutdown."""
        yield
