"""Whether a job can come to anything, as far as that is known before it runs.

A ready replica reads it, by annotations alone. Where none has the time, its size and the syntax of
its JSON are looked at here, and a later fault ends the job with the same problem.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final

import msgspec

from headrace.core.messages import DeploymentId
from headrace.errors import (
    BadRequest,
    RequestError,
    TooLarge,
    Unprocessable,
    UnsupportedMedia,
)
from headrace.jobs.endpoints import Validate
from headrace.jobs.orders import Order
from headrace.model.envelope import Envelope, Fault, JobAttempt
from headrace.model.kinds import Kind
from headrace.model.media import is_json
from headrace.runtime.validating import Validating

READ_BYTES: Final = 1 << 20
"""What is larger is not sent to be read twice."""
QUICK_BYTES: Final = 1 << 16
_syntax = msgspec.json.Decoder(msgspec.Raw)


def validator(
    validating: Validating,
    deployment: DeploymentId,
    *,
    kind: Kind,
    function: str = "",
    most_bytes: int,
) -> Validate:
    """Return what looks at the orders for one endpoint."""

    async def validate(order: Order) -> None:
        if len(order.body) > most_bytes:
            raise TooLarge(f"the body is {len(order.body)} bytes; the most is {most_bytes}")
        if kind == "ingress":
            return  # an application reads what it likes
        body = bytes(order.body)
        if len(body) <= READ_BYTES:
            verdict = await validating.ask(deployment, _envelope(order, body, function))
            if verdict is not None:
                _look(verdict.fault)
                return
        if kind != "plain":
            await _check_syntax(order.content_type, body)

    return validate


def _envelope(order: Order, body: bytes, function: str) -> Envelope:
    return Envelope(
        order.label,
        inf,
        1,
        order.content_type,
        body,
        order.head,
        model_id=order.model_id,
        job=JobAttempt("", 0, function),
    )


def _look(fault: Fault | None) -> None:
    """Raise what a replica found, as our own error."""
    if fault is None:
        return
    kind = _KINDS.get(fault.status, Unprocessable)
    raise kind(fault.detail, path=fault.path)


_KINDS: Final[dict[int, type[RequestError]]] = {
    kind.status: kind for kind in (BadRequest, TooLarge, UnsupportedMedia, Unprocessable)
}


async def _check_syntax(content_type: str | None, body: bytes) -> None:
    if not body or not is_json(content_type or ""):
        return
    try:
        if len(body) <= QUICK_BYTES:
            _syntax.decode(body)
        else:
            await asyncio.to_thread(_syntax.decode, body)
    except (ValueError, RecursionError) as error:
        words = str(error).removeprefix("JSON is malformed: ")
        raise BadRequest(f"the body is not valid JSON: {words}") from error
