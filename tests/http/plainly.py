"""A plain application served for real, in the loop of a thread, for clients that look closely."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Unpack

from headrace.host.applications import Kind
from headrace.host.settings import SettingWords, settle
from headrace.host.sockets import bind, url_of
from headrace.plain import PlainService
from headrace.replica.asyncio_end import new_loop

NAME = "application_under_test"
PATIENCE_S = 10.0


class Served:
    """A served application: where it is, and its service."""

    def __init__(self, app: Any, kind: Kind, settings: SettingWords) -> None:
        module = ModuleType(NAME)
        module.app = app  # type: ignore[attr-defined] # a module holds anything
        sys.modules[NAME] = module
        self._kind, self._settings = kind, settings
        self._sock = bind("127.0.0.1", 0)
        self.url, self.port = url_of(self._sock), self._sock.getsockname()[1]
        self.loop = new_loop()
        self.service: PlainService | None = None
        self.error: BaseException | None = None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plainly")
        self._thread.start()
        assert self._is_up.wait(PATIENCE_S)
        if self.error is not None:
            self.close()
            raise self.error

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self.service = PlainService(f"{NAME}:app", self._kind, settle(self._settings))
        await self.service.open(self._sock)
        try:
            await self.service.ready
        except BaseException as error:  # noqa: BLE001 - the test is to have it
            self.error = error
            self.service.stop(0.0)
        self._is_up.set()
        await self.service.closed()

    def stop(self, grace_s: float | None = None) -> None:
        """Ask it to stop, and do not wait."""
        assert self.service is not None
        with contextlib.suppress(RuntimeError):  # it has
            self.loop.call_soon_threadsafe(self.service.stop, grace_s)

    def wait(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self.stop(0.0)
        self.wait()
        self._sock.close()
        del sys.modules[NAME]

    def talk(self, *parts: bytes) -> bytes:
        """Send these bytes on a connection of their own; return all that comes until its end."""
        with self.connect() as sock:
            for part in parts:
                sock.sendall(part)
            return everything(sock)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)


@contextlib.contextmanager
def served(app: Any, kind: Kind = "wsgi", **settings: Unpack[SettingWords]) -> Iterator[Served]:
    """Serve an application until the end of the block."""
    server = Served(app, kind, settings)
    try:
        yield server
    finally:
        server.close()


def everything(sock: socket.socket) -> bytes:
    """Return what comes until the connection ends; a reset ends it too."""
    came = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(1 << 16):
            came += part
    return bytes(came)


def wsgi(answer: Callable[[dict[str, Any], Any], Any]) -> Any:
    """Return a WSGI application that answers 200 with what `answer` returns."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        body = answer(environ, start_response)
        if isinstance(body, str):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [body.encode()]
        return body

    return app


def get(path: str = "/", *headers: str, method: str = "GET") -> bytes:
    """Return a request that closes its connection."""
    lines = [f"{method} {path} HTTP/1.1", "Host: here", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
