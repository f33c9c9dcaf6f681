"""What people write for the HTTP side of a graph: a plain deployment for each idiom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

import headrace as hr


@hr.deployment(route="/query")
class Query:
    """Gives back what it was asked with."""

    def __call__(self, request: Request) -> Any:
        return request.query_params


@hr.deployment(route="/nothing")
def nothing() -> str:
    return "it takes nothing"


@hr.deployment(route="/stream")
class Streams:
    """Ten pieces of text, each as it is made."""

    def __call__(self, request: Request) -> StreamingResponse:
        most = int(request.query_params.get("max", "10"))
        return StreamingResponse(self.numbers(most), status_code=200, media_type="text/plain")

    def numbers(self, most: int) -> Iterator[str]:
        for number in range(most):
            yield str(number)
            time.sleep(0.1)


@hr.deployment(route="/endless")
class Endless:
    async def hi(self) -> AsyncIterator[str]:
        start = time.monotonic()
        try:
            while True:
                yield "hi"
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            print(f"cancelled after {time.monotonic() - start:.0f} s", flush=True)

    def __call__(self, _request: Request) -> StreamingResponse:
        return StreamingResponse(self.hi(), media_type="text/plain")


@hr.deployment(route="/cancelled", timeout_s=2.0)
async def startled() -> str | None:
    try:
        print("it waits", flush=True)
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        print("the request was cancelled", flush=True)
    return None


@hr.deployment(route="/shielded")
async def shielded() -> None:
    async def piece() -> None:
        await asyncio.sleep(0.5)
        print("the piece has ended", flush=True)

    print("it waits, shielded", flush=True)
    await asyncio.shield(asyncio.ensure_future(piece()))


hr.run(Query, nothing, Streams, Endless, startled, shielded)
