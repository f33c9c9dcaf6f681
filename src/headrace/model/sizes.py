"""The bounds of an answer: what lies beyond cannot travel, or would fill the server's memory."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.memory.slots import length_of
from headrace.model.context import HIGHEST_STATUS, LOWEST_STATUS
from headrace.model.envelope import Answer
from headrace.model.plain import CannotAnswer

ANSWER_BYTES = 1 << 29
"""The longest body of an answer; a frame's length is an unsigned 32-bit number."""
HEADERS_BYTES = 1 << 16
"""All the headers that a hook sets, names and values."""


def bounded(answer: bytes | Answer) -> bytes | Answer:
    """Return the answer. Raises CannotAnswer for one out of bounds, and says by how much."""
    if isinstance(answer, bytes):
        size = len(answer)
    else:
        bounded_status(answer.status)
        bounded_headers(answer.headers)
        size = length_of(answer.body)
    if size > ANSWER_BYTES:
        raise CannotAnswer(f"an answer of {size:,} bytes; the most is {ANSWER_BYTES:,}")
    return answer


def bounded_status(status: int) -> int:
    """Return the status. Raises CannotAnswer for one that HTTP lets no server end with."""
    if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
        raise CannotAnswer(f"an answer's status is {LOWEST_STATUS} to {HIGHEST_STATUS}")
    return status


def bounded_headers(headers: Sequence[tuple[str, str]]) -> None:
    """Raise CannotAnswer for headers that no client would read."""
    size = sum(len(name) + len(value) for name, value in headers)
    if size > HEADERS_BYTES:
        raise CannotAnswer(f"headers of {size:,} characters; the most is {HEADERS_BYTES:,}")
