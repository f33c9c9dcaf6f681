"""The language of an arbiter and its workers, over a pair of sockets.

Each frame is a length and a record in msgpack, as between a worker and its replicas. The end of the
stream is the other side's death: a worker whose arbiter is gone ends itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from headrace.core.draining import Tally
from headrace.host.audit import Asker
from headrace.host.origin import Origin
from headrace.model.application import Application
from headrace.replica.frames import HEAD, Splitter

READ_BYTES = 1 << 16
Heard = TypeVar("Heard")

# --- arbiter to worker -----------------------------------------------------------------


class Plan(Struct, array_like=True, tag=1, frozen=True):
    """Serve this: the first thing a worker hears."""

    target: str
    app: Literal["asgi", "wsgi"] | None
    """What kind of application it is; None for models."""
    applications: list[Application]
    settings: dict[str, Any]
    worker: int
    generation: int
    shutdown_key: str = ""
    """What opens the shutdown API, if it was made for this server."""
    origins: list[Origin] = []
    """Where the applications come from: a reload reads these again."""
    files: list[str] = []
    """Where the code came from."""
    inner: str = ""
    """The socket between app workers and the engine worker that has their jobs, if there is one."""


class Stop(Struct, array_like=True, tag=2, frozen=True):
    """Serve on for `delay_s`, take nothing new, finish within `grace_s`, end; again: hurry."""

    grace_s: float
    delay_s: float = 0.0


class ReloadNow(Struct, array_like=True, tag=3, frozen=True):
    """Read the code of your deployments again, and say Reloaded."""


class Reopen(Struct, array_like=True, tag=4, frozen=True):
    """Open your log files again: somebody has moved them."""


class StateToLog(Struct, array_like=True, tag=5, frozen=True):
    """Write what you are doing to the error log."""


class StatusPlease(Struct, array_like=True, tag=6, frozen=True):
    """Say StatusIs, with this number."""

    number: int


class DeployNow(Struct, array_like=True, tag=7, frozen=True):
    """Add what comes from here to what you serve, or put it in its place, and say Done."""

    number: int
    origins: list[Origin]


class DeleteNow(Struct, array_like=True, tag=8, frozen=True):
    """Take these applications away, and say Done."""

    number: int
    names: list[str]


Asking = DeployNow | DeleteNow | StatusPlease
Order = Plan | Stop | ReloadNow | Reopen | StateToLog | Asking

# --- worker to arbiter -----------------------------------------------------------------


class Born(Struct, array_like=True, tag=1, frozen=True):
    """The interpreter runs, and a signal for its stacks does not end it any more."""


class Answering(Struct, array_like=True, tag=2, frozen=True):
    """It listens, and tells its clients itself that it loads."""


class LoadingNow(Struct, array_like=True, tag=3, frozen=True):
    """How far it has come."""

    what: str
    done: float = 0.0
    total: float = 0.0


class Ready(Struct, array_like=True, tag=4, frozen=True):
    """It serves; `lines` say what."""

    lines: list[str]
    files: list[str] = []
    """Where its code came from, as far as it knows."""


class Failed(Struct, array_like=True, tag=5, frozen=True):
    """It cannot start, and ends."""

    kind: str
    message: str
    traceback: str


class Beat(Struct, array_like=True, tag=6, frozen=True):
    """Its event loop turns; so many requests has it had."""

    requests: int


class StatusIs(Struct, array_like=True, tag=7, frozen=True):
    """What was asked for by StatusPlease."""

    number: int
    status: dict[str, Any]


class StopAsked(Struct, array_like=True, tag=8, frozen=True):
    """A client of this worker wants the whole server to end."""

    by: Asker
    grace_s: float | None = None


class ReloadAsked(Struct, array_like=True, tag=9, frozen=True):
    """A client of this worker, or a timetable, wants a reload."""

    by: str


class Reloaded(Struct, array_like=True, tag=10, frozen=True):
    """ReloadNow was done; or `fault` says why all is as before."""

    fault: str = ""
    files: list[str] = []


class Done(Struct, array_like=True, tag=12, frozen=True):
    """DeployNow or DeleteNow was done; or `kind` of an error says why all is as before."""

    number: int
    told: list[str] = []
    """What of it there is to tell, line by line."""
    kind: str = ""
    message: str = ""
    traceback: str = ""


class Serving(Struct, array_like=True, tag=13, frozen=True):
    """What it serves by now: a worker that comes after it is to serve the same."""

    applications: list[Application]
    origins: list[Origin]
    lines: list[str]
    files: list[str] = []


class Left(Struct, array_like=True, tag=11, frozen=True):
    """How its stop stands: the last one counts, if it is killed too."""

    tally: Tally


Report = (
    Born
    | Answering
    | LoadingNow
    | Ready
    | Failed
    | Beat
    | StatusIs
    | StopAsked
    | ReloadAsked
    | Reloaded
    | Done
    | Serving
    | Left
)

read_order = msgspec.msgpack.Decoder(Order).decode
read_report = msgspec.msgpack.Decoder(Report).decode
_encode_into = msgspec.msgpack.Encoder().encode_into


class Channel(Generic[Heard]):
    """One end of the pair, on an event loop."""

    def __init__(
        self,
        sock: socket.socket,
        read: Callable[[memoryview], Heard],
        heard: Callable[[Heard], None],
        lost: Callable[[], None],
    ) -> None:
        """Begin to listen; `heard` gets each record, and `lost` is told the end of the stream."""
        self._loop = asyncio.get_running_loop()
        self._sock, self._read, self._heard, self._lost = sock, read, heard, lost
        self._splitter, self._unsent = Splitter(), bytearray()
        self.is_open = True
        sock.settimeout(0)
        self._loop.add_reader(sock, self._take)

    def say(self, record: Order | Report) -> None:
        """Send a record, without waiting; who is gone hears nothing."""
        if not self.is_open:
            return
        at = len(self._unsent)
        _encode_into(record, self._unsent, at + HEAD.size)
        HEAD.pack_into(self._unsent, at, len(self._unsent) - at - HEAD.size)
        self._write()

    def drain(self) -> None:
        """Hear what has come already."""
        while self.is_open and self._take():
            pass

    def close(self) -> None:
        """Say no more and hear no more."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()

    def _write(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # the reader hears the end of the stream, after all that came before it
            self._unsent.clear()
            sent = 0
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._sock, self._write)
        else:
            self._loop.remove_writer(self._sock)

    def _take(self) -> bool:
        """Read once; tell whether there was something."""
        try:
            chunk = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            self._lost()
            return False
        for record in self._splitter.feed(chunk):
            self._heard(self._read(record))
        return True
