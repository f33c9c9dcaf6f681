"""Hear of a client that left while its request is under way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from headrace.host.connection import EXTENSION, Connection
from headrace.http.messages import Receive, Scope


def connection_of(scope: Scope) -> Connection | None:
    """Return what our own protocol tells about the connection; None under a foreign server."""
    extensions = scope.get("extensions")
    return extensions.get(EXTENSION) if extensions else None


@contextlib.asynccontextmanager
async def watched(receive: Receive, left: Callable[[], None]) -> AsyncIterator[None]:
    """Under a foreign server: call `left` if `http.disconnect` comes before the work is done."""

    async def wait() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left()

    task = asyncio.create_task(wait())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
