"""Models that call others through handles, one in every layout of a replica."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import headrace as hr
from tests.e2e.handed import (
    LONG_S,
    Between,
    Numbers,
    NumbersAsync,
    Sums,
    Tens,
    Waits,
    leave_mark,
)

LAYOUTS = ("leaf", "threads", "on-loop", "in-worker", "streamer")
"""The callers, by their names."""


class Calls:
    """What a caller may be wished to do, in code that cannot await."""

    def __init__(self, to: Mapping[str, hr.Handle]) -> None:
        self.to = to

    def many(self, _: Any) -> list[int]:
        """Call several at once, give a response on, by position and by keyword."""
        first = self.to["sums"](1)
        second = self.to["tens"](first)
        third = self.to["sums"](second, y=self.to["sums"](5, y=5))
        return [first.result(), second.result(), third.result(), third.result()]

    def items(self, n: int) -> list[Any]:
        """Read two streams in turn."""
        one, other = iter(self.to["numbers"](n)), self.to["numbers-async"](n)
        return [[next(one), each] for each in other]

    def method(self, x: int) -> Any:
        """Call another method."""
        return self.to["sums"].twice(x).result()

    def caught(self, how: str) -> Any:
        """Tell what a failing callee's exception is here."""
        try:
            self.to["sums"].fail(how).result()
        except Exception as error:  # noqa: BLE001 - it is what is told
            return told(error)
        return "nothing was raised"

    def wrong(self, what: str) -> str:
        """Use a response as it is not meant."""
        try:
            if what == "items of a value":
                list(self.to["sums"](3))
            else:
                MISUSES[what](self.to).result()
        except Exception as error:  # noqa: BLE001 - it is what is told
            return f"{type(error).__name__}: {error}"
        return "nothing was raised"

    def wait(self, mark: str) -> Any:
        """Wait for another one, through a third."""
        return self.to["between"](mark).result()

    def late(self, mark: str) -> str:
        """Give it a moment; then hang up."""
        response = self.to["waits"](mark)
        try:
            response.result(timeout_s=0.05)
        except TimeoutError:
            while not Path(f"{mark}.begun").exists():
                time.sleep(0.01)
            response.cancel()
            return "timed out"
        return "answered"

    def early(self, mark: str) -> int:
        """Leave a stream early."""
        for each in self.to["numbers"](10_000, mark=mark):
            if each == 3:
                return int(each)
        return -1

    def dynamic(self, x: int) -> Any:
        """Find a deployment by its name, and by its class."""
        return [hr.handle("sums")(x).result(), hr.handle(Sums)(x).result()]

    def left_s(self, _: Any) -> list[float]:
        """Tell how much time a callee has, by its own wish too."""
        sums = self.to["sums"]
        return [sums.left_s().result(), sums.options(timeout_s=1.5).left_s().result()]

    def trace(self, _: Any) -> str:
        """Tell which trace a callee has."""
        return str(self.to["sums"].trace().result())

    def large(self, size: int) -> list[Any]:
        """Send a large array, and get it back."""
        array = np.arange(size, dtype=np.uint8)
        total, same = self.to["sums"].size(array), self.to["sums"].echo(array)
        return [total.result(), int(array.sum()), bool((same.result() == array).all())]

    def in_threads(self, n: int) -> list[int]:
        """Call from threads of its own, all at once."""
        found: list[int] = []

        def ask(x: int) -> None:
            found.extend(self.to["sums"](x, y=0).result() for _ in range(20))

        threads = [threading.Thread(target=ask, args=(x,)) for x in range(n)]
        for thread in threads:
            thread.start()
        mine = [self.to["sums"](100, y=each).result() for each in range(20)]
        for thread in threads:
            thread.join()
        return [*sorted(set(found)), len(found), mine[-1]]

    def detached(self, mark: str) -> str:
        """Leave work behind that goes on."""
        self.to["waits"].options(detach=True)(mark, 0.3)
        return "left"


MISUSES: dict[str, Callable[[Mapping[str, hr.Handle]], Any]] = {
    "value of a stream": lambda to: to["numbers"](3),
    "private": lambda _: hr.Handle("sums", "_secret")(),
    "hook": lambda to: to["sums"].setup(),
    "unknown": lambda _: hr.handle("sum")(1),
    "two for a batch": lambda to: to["tens"](1, 2),
    "not to be pickled": lambda to: to["sums"](lambda: 1),
}


def told(error: BaseException) -> list[Any]:
    """Tell of an exception what can be told over HTTP."""
    notes = "".join(getattr(error, "__notes__", ()))
    number = getattr(error, "number", getattr(error, "status", None))
    return [type(error).__name__, str(error), number, "def fail" in notes or "in fail" in notes]


class Leaf(Calls, hr.Model):
    """A leaf that calls."""

    def predict(self, wish: str, value: Any = None) -> Any:
        return getattr(self, wish)(value)


@hr.deployment(max_ongoing_requests=4)
class Threads(Calls, hr.Model):
    """Sync hooks side by side that call."""

    def predict(self, wish: str, value: Any = None) -> Any:
        return getattr(self, wish)(value)


class Streamer(Calls, hr.Model):
    """A leaf that streams, and calls; its one item is the answer."""

    def predict(self, wish: str, value: Any = None) -> Iterator[Any]:
        yield {"answer": getattr(self, wish)(value)}


class OnLoop(hr.Model):
    """An async model that calls."""

    def __init__(self, to: Mapping[str, hr.Handle]) -> None:
        self.to = to

    async def predict(self, wish: str, value: Any = None) -> Any:
        return await getattr(self, wish)(value)

    async def many(self, _: Any) -> list[int]:
        first = self.to["sums"](1)
        second = self.to["tens"](first)
        third = self.to["sums"](second, y=self.to["sums"](5, y=5))
        found = await asyncio.gather(first, second, third)
        return [*found, await third]

    async def items(self, n: int) -> list[Any]:
        one, other = aiter(self.to["numbers"](n)), self.to["numbers-async"](n)
        return [[await anext(one), each] async for each in other]

    async def method(self, x: int) -> Any:
        return await self.to["sums"].twice(x)

    async def caught(self, how: str) -> Any:
        try:
            await self.to["sums"].fail(how)
        except Exception as error:  # noqa: BLE001 - it is what is told
            return told(error)
        return "nothing was raised"

    async def wrong(self, what: str) -> str:
        try:
            if what == "items of a value":
                [each async for each in self.to["sums"](3)]
            elif what == "result on the loop":
                self.to["sums"](1).result()
            else:
                await MISUSES[what](self.to)
        except Exception as error:  # noqa: BLE001 - it is what is told
            return f"{type(error).__name__}: {error}"
        return "nothing was raised"

    async def wait(self, mark: str) -> Any:
        try:
            return await self.to["between"](mark)
        except asyncio.CancelledError:
            leave_mark(f"{mark}.front")
            raise

    async def shielded(self, mark: str) -> Any:
        """Shield a call, which helps nothing, and a piece of its own, which it does."""

        async def piece() -> None:
            await asyncio.sleep(0.2)
            leave_mark(f"{mark}.piece")

        await asyncio.gather(asyncio.shield(piece()), asyncio.shield(self.to["waits"](mark)))

    async def late(self, mark: str) -> str:
        """Give up on an await."""
        try:
            async with asyncio.timeout(LONG_S) as limit:
                waiting = self.to["waits"](mark)
                while not Path(f"{mark}.begun").exists():
                    await asyncio.sleep(0.01)
                limit.reschedule(asyncio.get_running_loop().time() + 0.05)
                await waiting
        except TimeoutError:
            return "timed out"
        return "answered"

    async def early(self, mark: str) -> int:
        async for each in self.to["numbers-async"](10_000, mark=mark):
            if each == 3:
                break
        return int(each)

    async def dynamic(self, x: int) -> Any:
        return [await hr.handle("sums")(x), await hr.handle(Sums)(x)]

    async def left_s(self, _: Any) -> list[float]:
        sums = self.to["sums"]
        return [await sums.left_s(), await sums.options(timeout_s=1.5).left_s()]

    async def trace(self, _: Any) -> str:
        return str(await self.to["sums"].trace())

    async def large(self, size: int) -> list[Any]:
        array = np.arange(size, dtype=np.uint8)
        total, same = await asyncio.gather(self.to["sums"].size(array), self.to["sums"].echo(array))
        return [total, int(array.sum()), bool((same == array).all())]

    async def in_threads(self, n: int) -> list[int]:
        calls = Calls(self.to)
        with ThreadPoolExecutor(1) as pool:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, calls.in_threads, n)

    async def detached(self, mark: str) -> str:
        self.to["waits"].options(detach=True)(mark, 0.3)
        return "left"


@hr.deployment(executor="inline")
class InWorker(OnLoop):
    """The same in the worker itself."""


def graph() -> Any:
    """Bind all of them; the callers have routes of their own."""
    waits = hr.bind(Waits)
    to = {
        "sums": hr.bind(Sums),
        "tens": hr.bind(Tens).options(route="/tens"),
        "numbers": hr.bind(Numbers),
        "numbers-async": hr.bind(NumbersAsync),
        "waits": waits,
        "between": hr.bind(Between, waits),
    }
    threads = hr.bind(Threads, to).options(route="/threads")
    on_loop = hr.bind(OnLoop, to).options(route="/on-loop")
    in_worker = hr.bind(InWorker, to).options(route="/in-worker")
    streamer = hr.bind(Streamer, to).options(route="/streamer")
    more = {"1": threads, "2": on_loop, "3": in_worker, "4": streamer}
    return hr.bind(Leaf, {**to, **more}).options(route="/leaf")
