"""What a client knows of jobs: the server's documents, typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from headrace.core.jobs import ENDED, Status
from headrace.interfaces import Progress

JSON = "application/json"


class JobRecord(Struct, frozen=True, kw_only=True):
    """A job as the server told of it. Moments are Unix seconds."""

    id: str
    status: Status
    endpoint: str
    attempt: int
    """How often it was begun."""
    created_at: float
    failures: int = 0
    max_attempts: int = 1
    priority: int = 0
    cause: str | None = None
    """Why it ended as it did, where that was not its success."""
    size_bytes: int = 0
    due_at: float | None = None
    started_at: float | None = None
    """When its latest attempt was."""
    ended_at: float | None = None
    deadline_at: float | None = None
    kept_until: float | None = None
    """When its result goes."""
    position: int | None = None
    """How many stand before it; None where it does not wait, and in lists."""
    progress: Progress | None = None
    error: Mapping[str, Any] | None = None
    """The problem that it ended in, or that its latest attempt met."""
    last_event: int = 0
    is_gone: bool = False
    """Its result was kept as long as it was to be."""
    urls: Mapping[str, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in ENDED


class JobsPage(Struct, frozen=True):
    """Some jobs of a list, the latest first."""

    jobs: list[JobRecord]
    cursor: str | None = None


class Event(Struct, frozen=True):
    """Something that happened to a job."""

    number: int
    kind: str
    """`state`, `progress`, `item`, or what its work calls it."""
    data: Any
    """Read as JSON where it is that, else the text."""


class Result(Struct, frozen=True):
    """What a job answered: status, headers and body as they would have been at once."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    content: bytes

    @property
    def value(self) -> Any:
        """The body as data: JSON is read, text is text, anything else is bytes."""
        media, _, rest = self.headers.get("content-type", "").partition(";")
        media = media.strip().lower()
        if media == JSON or media.endswith("+json"):
            return msgspec.json.decode(self.content) if self.content else None
        if media.startswith("text/"):
            _, _, charset = rest.partition("charset=")
            return self.content.decode(charset.strip(' "') or "utf-8")
        return self.content


def event_of(number: int, kind: str, text: str) -> Event:
    """Read what an event tells."""
    try:
        return Event(number, kind, msgspec.json.decode(text))
    except msgspec.DecodeError:
        return Event(number, kind, text)
