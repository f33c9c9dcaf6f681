"""Jobs that are submitted from every kind of code that deployments have."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import headrace as hr


@hr.job
def double(value: int) -> int:
    return 2 * value


@hr.job
async def double_later(value: int) -> int:
    await asyncio.sleep(0.01)
    return 2 * value


@hr.job
def count(to: int) -> Iterator[int]:
    yield from range(to)


@hr.job
async def count_later(to: int) -> AsyncIterator[int]:
    for number in range(to):
        await asyncio.sleep(0)
        yield number


@hr.job
def whose(context: hr.Context | None = None) -> list[Any]:
    assert context is not None
    assert hr.current_context() is context
    return [context.job_id, context.attempt]


@hr.job(max_attempts=2, first_delay_s=0.01)
def fails(words: str) -> None:
    raise RuntimeError(words)


@hr.job
def sleeps(seconds: float, note: str) -> None:
    path = Path(note)
    path.write_text("runs")
    try:
        time.sleep(seconds)
    except hr.Cancelled:
        path.write_text("cancelled")
        raise
    path.write_text("slept")


@hr.job
def spins(note: str) -> None:
    path = Path(note)
    path.write_text("runs")
    try:
        while True:
            sum(range(1000))
    except hr.Cancelled:
        path.write_text("cancelled")
        raise


@hr.job
async def waits(note: str) -> None:
    path = Path(note)
    path.write_text("runs")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        path.write_text("cancelled")
        raise


@hr.job
def submits_another(value: int) -> str:
    return hr.submit(double, value).id


FUNCTIONS = {
    each.__name__: each
    for each in (
        *(double, double_later, count, count_later, whose, fails),
        *(sleeps, spins, waits, submits_another),
    )
}


@hr.deployment(route="/submit", load="lazy")
class Submit(hr.Model):
    """Submits what it is asked for."""

    def predict(
        self, function: str, arguments: list[Any], options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        job = hr.submit.options(**(options or {}))(FUNCTIONS[function], *arguments)
        return {"id": job.id, "url": job.url, "is_new": job.is_new}


@hr.deployment(route="/sync", load="lazy")
class Sync(hr.Model):
    def predict(self, value: int) -> str:
        return hr.submit(double, value).id


@hr.deployment(route="/thread", load="lazy")
class InThread(hr.Model):
    def predict(self, value: int) -> str:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(hr.submit(double, value).id))
        thread.start()
        thread.join()
        return found[0]


@hr.deployment(route="/loop", load="lazy")
class OwnLoop(hr.Model):
    def predict(self, value: int) -> str:
        async def submit() -> str:
            return (await hr.submit(double, value)).id

        return asyncio.run(submit())


@hr.deployment(route="/async", load="lazy")
class Async(hr.Model):
    async def predict(self, value: int) -> str:
        return (await hr.submit(double, value)).id


@hr.deployment(route="/async-thread", load="lazy")
class AsyncThread(hr.Model):
    async def predict(self, value: int) -> str:
        return (await asyncio.to_thread(hr.submit, double, value)).id


@hr.deployment(route="/threads", load="lazy", max_ongoing_requests=4)
class Threads(hr.Model):
    def predict(self, value: int) -> str:
        return hr.submit(double, value).id


@hr.deployment(route="/stream", load="lazy")
class Stream(hr.Model):
    def predict(self, value: int) -> Iterator[str]:
        yield hr.submit(double, value).id


@hr.deployment(route="/plain", load="lazy")
def plain(request: hr.Request) -> str:
    return hr.submit(double, int(request.query_params["value"])).id


api = FastAPI()


@hr.deployment(route="/api", load="lazy")
@hr.ingress(api)
class Front:
    @api.get("/sync")
    def sync(self, value: int) -> str:
        return hr.submit(double, value).id

    @api.get("/async")
    async def later(self, value: int) -> str:
        return (await hr.submit(double, value)).id


@hr.deployment(route="/typed", load="lazy")
class Typed(hr.Model):
    def predict(self, a: int, b: str = "x") -> str:
        return a * b


server = hr.Server(
    *(Submit, Sync, InThread, OwnLoop, Async, AsyncThread, Threads, Stream, plain, Front, Typed),
    while_loading="wait",
)
