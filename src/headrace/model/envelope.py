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
    kind: str = "http"
    """`websocket` for a conversation."""
    more: bool = False
    """The body goes on behind the payload: see `Message`."""
    subprotocols: list[str] = []
    raw_path: bytes = b""
    server: str = ""


class Call(Struct, array_like=True, frozen=True):
    """How other code of this server asks, through a handle: the payload is packed arguments.

    They are a pair, positional and by keyword: see model/pickles.py.
    """

    method: str = ""
    """Empty for what the deployment does by itself: `predict`, or being called."""
    streams: bool = False
    """Whoever asks wants the items one by one."""


class JobAttempt(Struct, array_like=True, frozen=True):
    """Which attempt at which job a request is."""

    job: str
    attempt: int
    function: str = ""
    """Which function of a job replica is to run: `module.qualname`."""


class Envelope(Struct, array_like=True, frozen=True):
    """One attempt at one request; `deadline` in seconds on the monotonic clock of this machine."""

    label: str
    deadline: float
    attempt: int
    content_type: str | None
    payload: bytes | Slot
    head: Head | None = None
    call: Call | None = None
    """None for a request that came over HTTP."""
    model_id: str = ""
    """Which of its models a deployment with many is asked for."""
    job: JobAttempt | None = None
    """None for a request that somebody waits for."""

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
    error: bytes = b""
    """The exception itself, packed, where other code of this server asked; else empty."""


class Closed(Struct, array_like=True, tag=4, frozen=True):
    """A streamed answer is complete: its parts went before."""


class Opened(Struct, array_like=True, tag=5, frozen=True):
    """A streamed answer begins; it is the first of its parts, the others are bytes of the body."""

    status: int
    content_type: str
    headers: list[tuple[str, str]] = []


class Message(Struct, array_like=True, tag=6, frozen=True):
    """One message between a client and an application, as ASGI has them, beyond what is above.

    Inwards: `http.request` with the next piece of a body, `http.disconnect`, `websocket.receive`,
    `websocket.disconnect`. Outwards, as a part of the answer: `websocket.accept`, `websocket.send`,
    `websocket.close`, and `http.response.end` where an application goes on after its response.
    """

    name: str
    """As ASGI calls it."""
    text: str | None = None
    data: bytes | Slot | None = None
    more: bool = False
    code: int = 0
    headers: list[tuple[bytes, bytes]] = []


Part = bytes | Opened | Message
Reply = bytes | Slot | Answer | Fault | Closed
