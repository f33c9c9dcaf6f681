"""The bodies of jobs on their way into the store: read at a pace, counted while they are here."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from headrace.errors import QueueFull
from headrace.http.body import ClientLeft, Clocked, Pace, too_large
from headrace.http.endpoints import AGAIN_S
from headrace.http.messages import Receive

MOST_BYTES = 1 << 30
"""Of all bodies at once: the next one is refused before it is read."""


class Bodies:
    """Those of one server."""

    def __init__(self, pace: Pace) -> None:
        """`pace` is how fast they must come."""
        self._pace, self.size_bytes = pace, 0

    @contextlib.asynccontextmanager
    async def read(self, receive: Receive, length: int | None, most: int) -> AsyncIterator[bytes]:
        """Give the whole body; it counts until the block ends.

        Raises TooLarge, RequestTimeout, QueueFull for lack of room, and ClientLeft.
        """
        if length is not None and length > most:
            raise too_large(most)
        before = length or 0
        self._count(before)
        counted = before
        clocked = Clocked(receive, replace(self._pace, most_bytes=most))
        parts: list[bytes] = []
        size, more = 0, True
        try:
            while more:
                message = await clocked()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                part = message.get("body", b"")
                more = message.get("more_body", False)
                parts.append(part)
                size += len(part)
                if size > counted:
                    self._count(size - counted)
                    counted = size
            yield parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            self.size_bytes -= counted

    def _count(self, size_bytes: int) -> None:
        if self.size_bytes and self.size_bytes + size_bytes > MOST_BYTES:
            raise QueueFull("too many large jobs are on their way", retry_after_s=AGAIN_S)
        self.size_bytes += size_bytes
