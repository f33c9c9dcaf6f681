"""What a job is given, and what it answered, as the store keeps them: data, nothing pickled.

Both are a head, packed by msgspec, with the body apart: a body of any size can lie in a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from headrace.errors import HeadraceError, RequestError
from headrace.interfaces import Content
from headrace.model.envelope import Fault, Head

UNKEPT: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authorization", b"proxy-connection", b"expect", b"content-length"),
        *(b"prefer", b"idempotency-key", b"x-request-timeout-seconds"),
    }
)
"""Headers that are about one connection, or about the submission: no job is run with them."""
SECRET: Final = b"authorization"


class Order(Struct, frozen=True):
    """The request that a job is: as it came over HTTP, or as code of ours made it."""

    label: str
    """The id of the request that submitted it: what its log lines and its answers name."""
    body: bytes | memoryview = b""
    content_type: str | None = None
    head: Head | None = None
    """Method, path, query and headers; None where code submitted it."""
    model_id: str = ""


class Outcome(Struct, frozen=True):
    """How a job ended: a response, or the fault in its place."""

    status: int
    content_type: str = ""
    headers: list[tuple[str, str]] = []
    body: bytes | memoryview = b""
    fault: Fault | None = None
    """To be told as a problem document: its status is this outcome's."""
    retry_after_s: float | None = None
    """With a fault: when to come back, where that is known."""
    label: str = ""
    """The id of the request that submitted the job."""


class _OrderHead(Struct, array_like=True, frozen=True):
    label: str
    content_type: str | None
    head: Head | None
    model_id: str = ""


class _OutcomeHead(Struct, array_like=True, frozen=True):
    status: int
    content_type: str
    headers: list[tuple[str, str]]
    fault: Fault | None = None
    retry_after_s: float | None = None
    label: str = ""


_order_head = msgspec.msgpack.Decoder(_OrderHead)
_outcome_head = msgspec.msgpack.Decoder(_OutcomeHead)


def content_of(order: Order) -> Content:
    """Return an order as the store keeps it."""
    head = _OrderHead(order.label, order.content_type, order.head, order.model_id)
    return Content(msgspec.msgpack.encode(head), order.body)


def order_of(head: bytes, body: bytes) -> Order:
    """Read an order that was kept."""
    found = _order_head.decode(head)
    return Order(found.label, body, found.content_type, found.head, found.model_id)


def output_of(outcome: Outcome) -> Content:
    """Return an outcome as the store keeps it."""
    head = _OutcomeHead(
        outcome.status,
        outcome.content_type,
        outcome.headers,
        outcome.fault,
        outcome.retry_after_s,
        outcome.label,
    )
    return Content(msgspec.msgpack.encode(head), outcome.body)


def outcome_of(head: bytes, body: bytes = b"") -> Outcome:
    """Read an outcome that was kept: `Seen.output.head`, or the head and bytes of a result."""
    found = _outcome_head.decode(head)
    return Outcome(
        found.status,
        found.content_type,
        found.headers,
        body,
        found.fault,
        found.retry_after_s,
        found.label,
    )


def failure(error: HeadraceError, label: str = "") -> Outcome:
    """Return the outcome of a job that ended in an error of ours."""
    path = error.path if isinstance(error, RequestError) else None
    fault = Fault(error.status, error.code, str(error), path, list(error.headers.items()))
    return Outcome(error.status, fault=fault, retry_after_s=error.retry_after_s, label=label)


def fingerprint(order: Order) -> bytes:
    """Return the hash of all that makes a request the same request.

    Of the headers only the media type counts: dates, traces and the client's name differ each time
    that the same is sent again.
    """
    head = order.head
    said = (
        *(("", "", b"") if head is None else (head.method, head.path, head.query)),
        order.content_type,
        order.model_id,
    )
    digest = hashlib.sha256(msgspec.msgpack.encode(said))
    digest.update(order.body)
    return digest.digest()


def worth_keeping(
    headers: Iterable[tuple[bytes, bytes]], *, is_key_ours: bool
) -> list[tuple[bytes, bytes]]:
    """Return the headers that a job is run with; a key of our own is not written down."""
    left_out = UNKEPT | {SECRET} if is_key_ours else UNKEPT
    return [header for header in headers if header[0].lower() not in left_out]
