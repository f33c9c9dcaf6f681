"""How a job is sent: what may be asked for it, as keywords, and as the headers that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from headrace.client.records import JSON

HEADERS: Mapping[str, str] = {
    "priority": "X-Headrace-Priority",
    "delay_s": "X-Headrace-Delay-Seconds",
    "deadline_s": "X-Headrace-Deadline-Seconds",
    "max_attempts": "X-Headrace-Max-Attempts",
    "timeout_s": "X-Headrace-Attempt-Timeout-Seconds",
    "retention_s": "X-Headrace-Retention-Seconds",
}


class TermWords(TypedDict, total=False):
    """What may be asked for one job."""

    priority: int
    """The lowest number is run first; 0 is usual."""
    delay_s: float
    deadline_s: float
    """From now: after that nobody wants it."""
    max_attempts: int
    timeout_s: float
    """Of one attempt."""
    retention_s: float
    """How long the result is kept."""


class Sending(TermWords, total=False):
    """How a job is sent."""

    content: bytes
    """The body as it is, in place of JSON; name its `content_type`."""
    content_type: str
    headers: Mapping[str, str]
    """More of them, for the model or application."""


def sent_as(payload: Any, words: Sending) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a submission. Raises TypeError for two bodies."""
    headers = dict(words.get("headers", {}))
    said: Mapping[str, Any] = {**words}
    headers |= {header: str(said[name]) for name, header in HEADERS.items() if name in said}
    content = words.get("content")
    if content is None:
        body, media = msgspec.json.encode(payload), JSON
    elif payload is None:
        body, media = content, "application/octet-stream"
    else:
        raise TypeError("a job has one body: give the payload or the content")
    headers["Content-Type"] = words.get("content_type", media)
    return body, headers
