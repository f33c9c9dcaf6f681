"""Servers for clients: one with jobs that the test works on, and one that says what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from tests.http.asking import PATIENCE_S, Typed
from tests.http.jobs_desk import Desk, Office, office

T = TypeVar("T")


class Rig:
    """A server on a port, on an event loop in a thread of its own."""

    def __init__(self, folder: Path, *models: type[Any], **words: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._opened: Future[Office] = Future()
        self._over = asyncio.Event()
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen()
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}"
        serving = self._serve(folder, models or (Typed,), words)
        self._thread = threading.Thread(target=self._run, args=(serving,))
        self._thread.start()
        self.office = self._opened.result(PATIENCE_S)

    @property
    def desk(self) -> Desk:
        return self.office.desk

    def do(self, deed: Coroutine[Any, Any, T]) -> T:
        """Do something on the server's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(deed, self._loop).result(PATIENCE_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self, serving: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serving)

    async def _serve(self, folder: Path, models: Sequence[type[Any]], words: Any) -> None:
        async with office(folder, *models, sock=self.sock, **words) as there:
            self._opened.set_result(there)
            await self._over.wait()


@contextlib.contextmanager
def rig(folder: Path, *models: type[Any], **words: Any) -> Iterator[Rig]:
    """Open a server, and close it."""
    opened = Rig(folder, *models, **words)
    try:
        yield opened
    finally:
        opened.close()


class Scripted:
    """Answers each connection with the next of these bytes, and closes it."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.asked: list[bytes] = []
        self._answers, self._sock = list(answers), socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._sock.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                self.asked.append(connection.recv(65536))
                connection.sendall(answer)
        self._sock.close()

    def close(self) -> None:
        """Wait until everything was asked."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), f"{len(self.asked)} of {len(self._answers)} were asked"


@contextlib.contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """Open one; at the end all of it was asked for."""
    server = Scripted(answers)
    yield server
    server.close()


def response(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Write a whole response."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def stream(body: bytes) -> bytes:
    """Write a response that ends with its connection."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
