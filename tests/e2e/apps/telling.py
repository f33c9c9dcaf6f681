"""Models that answer in parts. What happens to a generator is told by files: it runs elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import headrace as hr


@contextlib.contextmanager
def noted(path: str) -> Iterator[None]:
    """Leave a file behind when the generator is closed, however it is."""
    try:
        yield
    finally:
        if path:
            Path(path).touch()


@hr.deployment(route="/sync", max_ongoing_requests=32)
class Sync(hr.Model):
    """Tells its items, one after the other."""

    def predict(
        self, items: list[Any], every_s: float = 0.0, *, fails: bool = False, closed: str = ""
    ) -> Iterator[Any]:
        with noted(closed):
            for item in items:
                yield item
                time.sleep(every_s)
            if fails:
                raise ValueError("a secret of the model")


@hr.deployment(route="/async")
class Async(hr.Model):
    """The same, on an event loop."""

    async def predict(
        self, items: list[Any], every_s: float = 0.0, *, fails: bool = False, closed: str = ""
    ) -> AsyncIterator[Any]:
        with noted(closed):
            for item in items:
                yield item
                await asyncio.sleep(every_s)
            if fails:
                raise ValueError("a secret of the model")


@hr.deployment(route="/gated")
class Gated(hr.Model):
    """Tells each item only when there is a file of that name."""

    async def predict(self, paths: list[str]) -> AsyncIterator[str]:
        for path in paths:
            while not Path(path).exists():
                await asyncio.sleep(0.002)
            yield Path(path).name


@hr.deployment(route="/endless", max_ongoing_requests=64)
class Endless(hr.Model):
    """Tells as fast as it may, without end if none is given."""

    def predict(self, size: int, count: int = sys.maxsize, closed: str = "") -> Iterator[str]:
        with noted(closed):
            told = 0
            while told < count:
                yield "x" * size
                told += 1


@hr.deployment(route="/hasty", timeout_s=0.3)
class Hasty(hr.Model):
    """Has little time from item to item."""

    async def predict(self, pauses_s: list[float]) -> AsyncIterator[float]:
        for pause_s in pauses_s:
            await asyncio.sleep(pause_s)
            yield pause_s


@hr.deployment(route="/bounded", stream_timeout_s=0.3)
class Bounded(hr.Model):
    """Has little time in all."""

    async def predict(self, every_s: float) -> AsyncIterator[float]:
        while True:
            yield every_s
            await asyncio.sleep(every_s)


@hr.deployment(route="/steady", timeout_s=0.3)
class Steady(hr.Model):
    """Tells as fast as it may, and has little time from item to item."""

    def predict(self, size: int, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b"x" * size
