"""What travels between the worker and a model: a request's envelope, and what came of it.

All are msgspec records in array form, so that a whole call is packed in one pass and no field name
ever crosses the wire. The worker fills them and never looks inside a body.
"""

from __future__ import annotations

from msgspec import Struct

from headrace.memory.slots import Slot


class Head(Struct, array_like=True, frozen=True):
    """The request line and headers; sent only to models that ask for them."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    client: str
    root_path: str = ""
    scheme: str = "http"
    http_version: str = "1.1"


class Envelope(Struct, array_like=True, frozen=True):
    """One attempt at one request; `deadline` in seconds on the monotonic clock of this machine."""

    label: str
    deadline: float
    attempt: int
    content_type: str | None
    payload: bytes | Slot
    head: Head | None = None

    @property
    def body(self) -> bytes:
        """The body as bytes of its own, copied if it is in shared memory."""
        payload = self.payload
        return bytes(payload.open()) if isinstance(payload, Slot) else payload

    def view(self) -> bytes | memoryview:
        """Return the body where it is."""
        payload = self.payload
        return payload.open() if isinstance(payload, Slot) else payload


class Answer(Struct, array_like=True, tag=1, frozen=True):
    """A finished response. A bare body stands for the common one: 200, application/json."""

    status: int
    content_type: str
    body: bytes | Slot
    headers: list[tuple[str, str]] = []


class Fault(Struct, array_like=True, tag=2, frozen=True):
    """A request that ended in an error; the front door writes it as a problem document."""

    status: int
    code: str
    detail: str
    path: str | None = None
    headers: list[tuple[str, str]] = []
    traceback: str = ""
    """Where the hook raised; only while debugging."""


class Closed(Struct, array_like=True, tag=4, frozen=True):
    """A streamed answer is complete: its parts went before."""


class Opened(Struct, array_like=True, tag=5, frozen=True):
    """A streamed answer begins; it is the first of its parts, the others are bytes of the body."""

    status: int
    content_type: str
    headers: list[tuple[str, str]] = []


Part = bytes | Opened
Reply = bytes | Slot | Answer | Fault | Closed
