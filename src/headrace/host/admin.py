"""The admin socket: beside the pidfile, for its owner alone; commands ask, the arbiter answers.

A command writes one request and reads one answer, each a line of JSON. The socket lies in the
pidfile's folder as `PIDFILE.sock`; who may open it is the file system's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from headrace.errors import ConfigError, StartError
from headrace.host.origin import Origin
from headrace.settings.table import Settings

OURS_ALONE = 0o600
MOST_BYTES = 16 << 20
WAITING = 16


class Deploy(Struct, tag="deploy", frozen=True):
    """Serve what comes from here, too; all of it or nothing."""

    origins: list[Origin]


class Delete(Struct, tag="delete", frozen=True):
    """Serve these applications no more."""

    names: list[str]


class Status(Struct, tag="status", frozen=True):
    """Tell how the server is."""


Request = Deploy | Delete | Status


class Answer(Struct, frozen=True):
    """What became of a request: an error's `kind` if nothing did."""

    told: list[str] = []
    status: dict[str, Any] = {}
    kind: str = ""
    message: str = ""
    traceback: str = ""


def path_of(pidfile: str) -> Path:
    """Return where the socket of a server lies."""
    path = Path(pidfile).absolute()
    return path.with_name(f"{path.name}.sock")


@contextlib.contextmanager
def within_reach(path: Path) -> Iterator[str]:
    """Give a path that a socket may have, however long the real one is: the kernel takes 107."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[socket.socket | None]:
    """Hold the admin socket, if there is a pidfile to lie beside. Raises ConfigError."""
    if settings.pidfile is None:
        yield None
        return
    path = path_of(settings.pidfile)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(sock, path)
        yield sock
    finally:
        sock.close()
        with contextlib.suppress(OSError):  # our rights may be gone by now; nobody listens there
            path.unlink()


def _bind(sock: socket.socket, path: Path) -> None:
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)  # of a server that was killed: the pidfile's lock is ours
        with within_reach(path) as short:
            sock.bind(short)
        path.chmod(OURS_ALONE)
        sock.listen(WAITING)
    except OSError as error:
        raise ConfigError(f"cannot make the admin socket {path}: {error.strerror}") from error
    finally:
        os.umask(before)


def hand_over(settings: Settings, uid: int, gid: int) -> None:
    """Let another user own the socket: the one that the server becomes. Raises OSError."""
    if settings.pidfile is not None:
        os.chown(path_of(settings.pidfile), uid, gid, follow_symlinks=False)


class Reception:
    """Takes what commands want, one by one and side by side, and brings them their answers."""

    def __init__(self, sock: socket.socket, ask: Callable[[Request], Awaitable[Answer]]) -> None:
        """`ask` says what becomes of a request; what it raises of ours is told."""
        self._sock, self._ask = sock, ask
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to take requests."""
        self._server = await asyncio.start_unix_server(
            self._begin, sock=self._sock.dup(), limit=MOST_BYTES
        )

    async def close(self) -> None:
        """Take no more; who still waits hears the end of the connection."""
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = await reader.readline()
        except ValueError:  # over the limit
            said = b"{"
        if not said:
            return
        writer.write(msgspec.json.encode(await self._answer(said)) + b"\n")
        await writer.drain()

    async def _answer(self, said: bytes) -> Answer:
        try:
            request: Request = msgspec.json.decode(said, type=Request)
        except msgspec.DecodeError as error:
            words = f"this server does not know what is asked ({error}); is the command its own?"
            return Answer(kind="ConfigError", message=words)
        try:
            return await self._ask(request)
        except StartError as error:
            return Answer(kind=type(error).__name__, message=str(error))


def asked(pidfile: str, request: Request, timeout_s: float | None) -> Answer:
    """Ask the server of a pidfile. Raises TimeoutError, and OSError if none listens."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock,
        within_reach(path_of(pidfile)) as short,
    ):
        sock.settimeout(timeout_s)
        sock.connect(short)
        sock.sendall(msgspec.json.encode(request) + b"\n")
        with sock.makefile("rb") as answers:
            said = answers.readline()
    if not said:
        raise ConnectionResetError("the server ended before it answered")
    return msgspec.json.decode(said, type=Answer)
