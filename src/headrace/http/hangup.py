"""How a connection ends before its response does: the client leaves, or we cut it off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from headrace.host.connection import EXTENSION, Connection
from headrace.http.messages import Receive, Scope


class Cut(Exception):
    """A response must not look whole: the server is to close its connection."""


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


@contextlib.asynccontextmanager
async def followed(scope: Scope, receive: Receive, left: Callable[[], None]) -> AsyncIterator[None]:
    """Call `left` if the client goes before the work is done, whichever server tells of it."""
    connection = connection_of(scope)
    if connection is None:
        async with watched(receive, left):
            yield
        return
    connection.on_lost = left
    if connection.lost:
        left()
    try:
        yield
    finally:
        connection.on_lost = None


async def cut_off(scope: Scope) -> None:
    """End the connection in the middle of a response. Raises Cut where only the server can."""
    connection = connection_of(scope)
    if connection is None:
        raise Cut("the response was cut off, for it has failed")
    if connection.lost:
        return
    gone = asyncio.Event()
    connection.on_lost = gone.set
    connection.abort()
    await gone.wait()  # so that whoever stands around finds the connection lost
    connection.on_lost = None
