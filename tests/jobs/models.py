"""Models whose jobs the tests run."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import headrace as hr


class Double(hr.Model):
    """Answers at once."""

    def predict(self, number: int) -> int:
        return 2 * number


class Spin(hr.Model):
    """Never waits: only a signal stops it."""

    def predict(self, seconds: float) -> str:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
        return "done"


class Rest(hr.Model):
    """Waits on the event loop, several at once."""

    max_ongoing_requests = 4

    async def predict(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "rested"


class Fall(hr.Model):
    """Takes its process along where it is given 13."""

    batch_size = 4

    def predict_batch(self, numbers: list[int]) -> list[int]:
        if 13 in numbers:
            os.kill(os.getpid(), signal.SIGSEGV)
        return numbers


class Fail(hr.Model):
    """Fails as the number says, or until the third attempt."""

    def predict(self, number: int, context: hr.Context) -> int:
        if number:
            raise hr.HTTPError(number, "as asked")
        if context.attempt < 3:
            raise ValueError("not yet")
        return context.attempt


class Tell(hr.Model):
    """Tells how far it is, from its own thread and from another."""

    def predict(self, steps: int, context: hr.Context) -> str | None:
        for step in range(steps):
            context.progress(step + 1, steps + 1, "on")
        thread = threading.Thread(target=context.progress, args=(steps + 1, steps + 1, "done"))
        thread.start()
        thread.join()
        return context.job_id


class Aloud(hr.Model):
    """The same, on an event loop."""

    async def predict(self, steps: int, context: hr.Context) -> str | None:
        for step in range(steps):
            context.progress(step + 1, steps + 1, "on")
            await asyncio.sleep(0)
        await asyncio.to_thread(context.progress, steps + 1, steps + 1, "done")
        return context.job_id


class Stream(hr.Model):
    """Gives its answer item by item."""

    def predict(self, items: int) -> Iterator[dict[str, int]]:
        for item in range(items):
            yield {"item": item}


class Length(hr.Model):
    """Reads a body as it is."""

    def predict(self, body: bytes) -> int:
        return len(body)


class Lazy(hr.Model):
    """Is loaded when somebody wants it."""

    load = "lazy"

    def predict(self, number: int) -> int:
        return number


def page(request: hr.Request) -> dict[str, str]:
    """Answer like a page: by method, path, query and a header."""
    return {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "color": request.headers.get("x-color", ""),
        "id": request.headers.get("x-request-id", ""),
    }
