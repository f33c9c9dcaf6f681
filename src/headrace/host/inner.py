"""The inner socket: app workers ask the engine worker that has their jobs, over HTTP, by a file.

The arbiter binds it before anybody serves, in a folder of our own user's; each engine worker
listens on the same one. So who asks while none is there waits in the kernel's queue, and the next
one answers. What is submitted here has a name beforehand: sent twice, it is one job.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from headrace.errors import ConfigError, Refused
from headrace.model.called import error_of, result_of
from headrace.model.envelope import Fault
from headrace.model.handle import CallOptions, NoLine, Response
from headrace.model.submit import Wanted

PATH: Final = "/-/submit"
MEDIA: Final = "application/msgpack"
WAITING: Final = 1024
PATIENCE_S: Final = 30.0
"""How long whoever submits waits for an engine worker: one that was killed is back in a moment."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5


@contextlib.contextmanager
def listening(uid: int = -1, gid: int = -1) -> Iterator[socket.socket]:
    """Hold the inner socket; another user and group may be its owners. Raises ConfigError."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="headrace-"))
    except OSError as error:
        raise ConfigError(
            f"no folder can be made for the socket between workers: {error.strerror}; jobs from "
            "code need one, in TMPDIR"
        ) from error
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(folder / "jobs.sock"))
        sock.listen(WAITING)
        for path in (folder / "jobs.sock", folder):
            os.chown(path, uid, gid)
        yield sock
    finally:
        sock.close()
        shutil.rmtree(folder, ignore_errors=True)


class InnerConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        """`path` is the socket's."""
        super().__init__("headrace", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """See `HTTPConnection`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class InnerLine:
    """The way from an application's code to the engine worker; see `model.handle.Line`."""

    def __init__(self, path: str) -> None:
        """`path` is the inner socket's."""
        self._path = path

    def ask(
        self,
        target: str,
        method: str,  # noqa: ARG002 - as `Line` has it
        options: CallOptions,  # noqa: ARG002
        args: tuple[Any, ...],  # noqa: ARG002
        kwargs: dict[str, Any],  # noqa: ARG002
    ) -> Response:
        """Raise NoLine: a plain application has jobs, and no deployments."""
        raise NoLine(
            f"there is no deployment {target!r}: this is a plain application, which submits "
            "jobs and calls nothing; serve it beside deployments to call them"
        )

    def submit(self, wanted: Wanted) -> Response:
        """Submit a job: it leaves when it is waited for."""
        if wanted.id is None and wanted.key is None:
            wanted = replace(wanted, id=uuid4().hex)
        return _Sent(self._path, wanted)


class _Sent:
    """A job on its way."""

    def __init__(self, path: str, wanted: Wanted) -> None:
        self._path, self._wanted = path, wanted

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.to_thread(self.result).__await__()

    def __aiter__(self) -> Any:
        raise TypeError("a job's acceptance is one value")

    def __iter__(self) -> Any:
        raise TypeError("a job's acceptance is one value")

    def cancel(self) -> None:
        """Do nothing: it may be written down already."""

    def result(self, timeout_s: float | None = None) -> Any:
        """Send it until it is answered. Raises what refuses it."""
        reply = _posted(self._path, self._wanted, PATIENCE_S if timeout_s is None else timeout_s)
        if isinstance(reply, Fault):
            raise error_of(reply)
        return result_of(reply)


_reply: msgspec.msgpack.Decoder[bytes | Fault] = msgspec.msgpack.Decoder(bytes | Fault)


def _posted(path: str, wanted: Wanted, within_s: float) -> bytes | Fault:
    """Send the same until somebody answers. Raises Refused where nobody does in time."""
    body = msgspec.msgpack.encode(wanted)
    until, pause_s = time.monotonic() + within_s, FIRST_PAUSE_S
    while True:
        left_s = until - time.monotonic()
        try:
            return _post(path, body, max(left_s, FIRST_PAUSE_S))
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() + pause_s >= until:
                raise Refused(
                    f"the worker that writes jobs down has not answered within {within_s:g} s "
                    f"({type(error).__name__}); the server's log says why. Submit it again with a "
                    "key, hr.submit.options(key=...), so that it can be no second job",
                    retry_after_s=1.0,
                ) from error
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _post(path: str, body: bytes, timeout_s: float) -> bytes | Fault:
    connection = InnerConnection(path, timeout_s)
    try:
        connection.request("POST", PATH, body, {"Content-Type": MEDIA})
        response = connection.getresponse()
        said = response.read()
        if response.status != http.HTTPStatus.OK:  # it stops, or is not ready: the next one may be
            raise http.client.HTTPException(f"{response.status}: {said[:200]!r}")
        return _reply.decode(said)
    finally:
        connection.close()
