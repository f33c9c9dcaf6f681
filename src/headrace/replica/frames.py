"""The language of a worker and its replica: records in msgpack, each behind its length.

A frame is a little-endian u32, the bytes that follow, then one record. Every call of a loop's turn
travels in one `Calls`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from socket import socket

import msgspec
from msgspec import Struct

from headrace.model.deployment import Options
from headrace.model.envelope import Answer, Envelope, Fault, Message, Part, Reply
from headrace.model.job import JobFunction
from headrace.model.kinds import Kind
from headrace.model.source import Source
from headrace.model.submit import Wanted

HEAD = struct.Struct("<I")
READ_BYTES = 1 << 18
FRAME_BYTES = 1 << 29
"""All the large answers in one frame: some are sent so where shared memory is full, or not there.
What is left of the 4 GiB that a length can say is more than small ones ever need."""

# --- worker to replica -----------------------------------------------------------------


class Load(Struct, array_like=True, tag=1, frozen=True):
    """Import this class, set it up, say Ready."""

    name: str
    replica: str
    source: Source
    options: Options
    device: str
    region: int = 0
    """Where it may write large answers; 0 is nowhere."""
    kind: Kind = "model"
    arguments: bytes = b""
    """What the class is made with, packed; empty for nothing. See model/binding.py."""
    functions: list[JobFunction] = []
    """What a job replica runs, in place of the class."""


class Calls(Struct, array_like=True, tag=2, frozen=True):
    """Run these calls: each a serial with its requests."""

    calls: list[tuple[int, list[Envelope]]]


class GiveUpOn(Struct, array_like=True, tag=3, frozen=True):
    """Nobody waits any more for the request at `place` of the call `serial`."""

    serial: int
    place: int


class TearDown(Struct, array_like=True, tag=4, frozen=True):
    """Finish what was sent before this, tear down, end."""


class Trim(Struct, array_like=True, tag=5, frozen=True):
    """Give back the memory of large answers that are gone: there were none for a while."""


class Freed(Struct, array_like=True, tag=6, frozen=True):
    """The other end is done with these slots of ours, each a region and an offset. Both say it."""

    places: list[tuple[int, int]]


class Credit(Struct, array_like=True, tag=7, frozen=True):
    """So many more parts of the answer at `place` may be sent: its reader took as many."""

    serial: int
    place: int
    parts: int


class Feed(Struct, array_like=True, tag=8, frozen=True):
    """Messages of the client of the request at `place`, of those that were wanted."""

    serial: int
    place: int
    messages: list[Message]


class Answered(Struct, array_like=True, tag=9, frozen=True):
    """What came of a request that this replica made through a handle."""

    number: int
    reply: Reply


class AnswerParts(Struct, array_like=True, tag=10, frozen=True):
    """Parts of a streamed answer to a request that this replica made through a handle."""

    number: int
    parts: list[Part]


class Check(Struct, array_like=True, tag=11, frozen=True):
    """Ask the model's `health`; `Health` is the answer."""


class Reconfigure(Struct, array_like=True, tag=12, frozen=True):
    """Go on with this `user_config`, as JSON."""

    config: bytes


class Validate(Struct, array_like=True, tag=13, frozen=True):
    """Read this request as the annotations say, and run nothing of it; `Valid` is the answer."""

    number: int
    envelope: Envelope


Word = Feed | Answered | AnswerParts | Check | Reconfigure | Validate
"""What the worker tells a replica's code, besides calls."""
Order = Load | Calls | GiveUpOn | TearDown | Trim | Freed | Credit | Word

# --- replica to worker -----------------------------------------------------------------


class Ready(Struct, array_like=True, tag=1, frozen=True):
    """The model is loaded."""


class Progress(Struct, array_like=True, tag=2, frozen=True):
    """How far the loading has come."""

    done: float
    total: float
    what: str


class Finished(Struct, array_like=True, tag=3, frozen=True):
    """A call has ended; a reply per request, in the call's order."""

    serial: int
    took_s: float
    replies: list[Reply]


class Returned(Struct, array_like=True, tag=4, frozen=True):
    """A recalled call was not run."""

    serial: int


class Failed(Struct, array_like=True, tag=5, frozen=True):
    """The start failed: one line for people, and the traceback."""

    message: str
    traceback: str


class Parts(Struct, array_like=True, tag=7, frozen=True):
    """Parts of streamed answers of a call, each with its place."""

    serial: int
    parts: list[tuple[int, Part]]


class Ended(Struct, array_like=True, tag=8, frozen=True):
    """The answer at `place` is complete, or failed, while others of its call go on."""

    serial: int
    place: int
    reply: Reply


class Ask(Struct, array_like=True, tag=9, frozen=True):
    """A request that code of this replica makes through a handle.

    It belongs to the request at `place` of the call `serial`, which ends it with itself, unless it
    is `detached`; place -1 is no one request of that call, serial 0 none at all. The replica counts
    its own requests from 1. The envelope's deadline is a wish: the request's own may be nearer.
    """

    number: int
    target: str
    envelope: Envelope
    serial: int = 0
    place: int = -1
    detached: bool = False


class HangUp(Struct, array_like=True, tag=10, frozen=True):
    """Nobody waits any more for what this replica asked."""

    number: int


class Took(Struct, array_like=True, tag=11, frozen=True):
    """So many parts of an answer that this replica asked for were read."""

    number: int
    parts: int


class Want(Struct, array_like=True, tag=12, frozen=True):
    """The application at `place` reads so many more messages of its client."""

    serial: int
    place: int
    messages: int


class Holds(Struct, array_like=True, tag=13, frozen=True):
    """The models that a multiplexed deployment has loaded in this replica."""

    models: list[str]
    load_s: float = 0.0
    """How long the newest took to load; 0 if none is new."""


class Health(Struct, array_like=True, tag=14, frozen=True):
    """What `health` said; `words` tell why it is not well."""

    is_well: bool
    words: str = ""


class Reconfigured(Struct, array_like=True, tag=15, frozen=True):
    """`reconfigure` has returned, or why it failed."""

    fault: str = ""


class Submit(Struct, array_like=True, tag=16, frozen=True):
    """A job that code of this replica submits; it is `Answered` when it is written down."""

    number: int
    wanted: Wanted


class Valid(Struct, array_like=True, tag=17, frozen=True):
    """What came of `Validate`: nothing, or why the request can come to nothing."""

    number: int
    fault: Fault | None = None


class JobProgress(Struct, array_like=True, tag=18, frozen=True):
    """How far the job has come that is the request at `place` of a call."""

    serial: int
    place: int
    done: float
    total: float
    note: str = ""


News = Ask | HangUp | Took | Want | Holds | Health | Reconfigured | Submit | Valid | JobProgress
"""What a replica's code asks of others, or tells of itself."""
Report = Ready | Progress | Finished | Returned | Failed | Freed | Parts | Ended | News

read_order = msgspec.msgpack.Decoder(Order).decode
read_report = msgspec.msgpack.Decoder(Report).decode
_encode_into = msgspec.msgpack.Encoder().encode_into


def pack(record: Order | Report) -> bytearray:
    """Return the record as one frame."""
    frame = bytearray(HEAD.size)
    _encode_into(record, frame, HEAD.size)
    HEAD.pack_into(frame, 0, len(frame) - HEAD.size)
    return frame


def inline_bytes(reply: Reply) -> int:
    """Return how much of a reply's body is in the frame itself."""
    body = reply.body if isinstance(reply, Answer) else reply
    return len(body) if isinstance(body, bytes) else 0


def is_packable(reply: Reply) -> bool:
    """Tell whether a reply can be written; a hook may have put anything into one."""
    try:
        _encode_into(reply, bytearray())
    except Exception:  # noqa: BLE001 - whatever it is, it is that reply's alone
        return False
    return True


class Splitter:
    """Reads a socket, and cuts what comes into the records' bytes."""

    __slots__ = ("_buffer", "_rest")

    def __init__(self) -> None:
        # One buffer for good: a fresh one for each read would be mapped and unmapped every time.
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._rest = bytearray()

    def read(self, sock: socket) -> Iterator[memoryview] | None:
        """Read once; return each whole record there is, or None at the end of the stream.

        They are to be used before the next read: its bytes take their place.
        """
        count = sock.recv_into(self._buffer)
        return self.feed(self._buffer[:count]) if count else None

    def feed(self, chunk: bytes | memoryview) -> Iterator[memoryview]:
        """Yield each whole record in what has come so far."""
        rest = self._rest
        whole: bytes | bytearray | memoryview = chunk
        if rest:
            rest += chunk
            if len(rest) < HEAD.size or len(rest) < HEAD.size + HEAD.unpack_from(rest)[0]:
                return
            whole, self._rest = rest, bytearray()
        view, at, end = memoryview(whole), 0, len(whole)
        while end - at >= HEAD.size:
            stop = at + HEAD.size + HEAD.unpack_from(whole, at)[0]
            if stop > end:
                break
            yield view[at + HEAD.size : stop]
            at = stop
        if at < end:
            self._rest += view[at:]
