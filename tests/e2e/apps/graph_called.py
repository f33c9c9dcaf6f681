"""A graph whose front is an application, and what it calls are plain classes and functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import FunctionType
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import headrace as hr


async def shout(text: str) -> str:
    return text.upper()


@hr.deployment
class Counter:
    """Sync methods: one at a time, in a thread."""

    def __init__(self, start: int, shout: hr.Handle) -> None:
        self.count, self.shout = start, shout

    def __call__(self, by: int = 1) -> int:
        self.count += by
        return self.count

    def loudly(self, word: str) -> str:
        return str(self.shout(word).result(timeout_s=5)) + "!"

    def items(self, many: int) -> Iterator[int]:
        yield from range(many)

    def fails(self) -> None:
        raise KeyError("nowhere")

    def sleeps(self) -> None:
        context = hr.current_context()
        while not context.cancelled:
            time.sleep(0.01)
        print("the thread heard of it", flush=True)


@hr.deployment
class Slow:
    async def __call__(self) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            print("the callee was cancelled", flush=True)
            raise

    async def ticks(self) -> AsyncIterator[str]:
        try:
            while True:
                yield "tick "
                await asyncio.sleep(0.05)
        finally:
            print("the ticking has stopped", flush=True)


class Front:
    counter: hr.Handle
    slow: hr.Handle


front = Front()


async def whole(request: Request) -> Response:
    counter = front.counter
    method = request.path_params["method"]
    if method == "call":
        found = await asyncio.gather(counter(), counter(by=10), counter(100))
        return JSONResponse(sorted(found))
    if method == "items":
        return JSONResponse([item async for item in counter.items(5)])
    if method == "loudly":
        return PlainTextResponse(await counter.loudly("hello"))
    try:
        await getattr(counter, method)()
    except Exception as error:  # noqa: BLE001 - what comes back is the test
        return JSONResponse([type(error).__name__, str(error)])
    return JSONResponse(None)


async def waits(_request: Request) -> Response:
    return JSONResponse(await front.slow())


async def streams(_request: Request) -> Response:
    async def ticking() -> AsyncIterator[str]:
        async for tick in front.slow.ticks():
            yield tick

    return StreamingResponse(ticking(), media_type="text/plain")


@hr.deployment
@hr.ingress(
    Starlette(
        routes=[
            Route("/waits", waits),
            Route("/streams", streams),
            Route("/{method}", whole),
        ]
    )
)
class Api:
    def __init__(self, counter: hr.Handle, slow: hr.Handle) -> None:
        front.counter, front.slow = counter, slow


shouting: Any = hr.bind(cast("FunctionType", shout))
graph = hr.bind(Api, hr.bind(Counter, 5, shouting), slow=hr.bind(Slow))
