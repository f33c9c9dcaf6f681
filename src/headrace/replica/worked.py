"""Run a user's function, whichever kind it is, from the event loop: sync ones in threads of a pool.

A thread cannot be interrupted: `context.cancelled` tells its code that nobody waits, and its slot
is its own until it has come back.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

END = object()
"""What a generator that has ended gives."""


class Pool:
    """As many threads as requests at once: none ever waits for one. They are made when needed."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a sync function in a thread, in a copy of this context."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="headrace-call")
        context = copy_context()
        thread = self._executor.submit(lambda: context.run(function, *args, **kwargs))
        work = asyncio.wrap_future(thread)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            while not work.done():
                await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # nobody else asks
            raise

    def close(self) -> None:
        """Let the threads end."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)


def is_quick(function: object) -> bool:
    """Tell whether a call returns at once: with something to wait for, or with a generator."""
    called = getattr(function, "__call__", None)  # noqa: B004 - an object in a function's place
    return any(
        kind(found)
        for found in (function, called)
        for kind in (
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
            inspect.isgeneratorfunction,
        )
    )


def is_stream(output: object) -> bool:
    """Tell whether an output is a generator, of either kind."""
    return inspect.isgenerator(output) or inspect.isasyncgen(output)


async def result_of(call: Callable[[], Any], pool: Pool, *, on_loop: bool) -> Any:
    """Call a function of any kind, and wait for what it returns; generators come as they are."""
    output = call() if on_loop else await pool.run(call)
    return await output if inspect.isawaitable(output) else output


async def items_of(output: Any, pool: Pool) -> AsyncGenerator[Any, None]:
    """Give the items of a generator; the steps of a sync one are taken in a thread.

    Cut short, an async one is cancelled where it stands, at its `yield` too; others are closed.
    """
    if inspect.isasyncgen(output):
        try:
            async for given in output:
                yield given
                await asyncio.sleep(0)  # one that never waits shares the loop all the same
        except (asyncio.CancelledError, GeneratorExit):
            await _cancel(output)
            raise
        return
    item: Any = None
    try:
        while (item := await pool.run(next, output, END)) is not END:
            yield item
    finally:
        if item is not END:
            await pool.run(output.close)


async def _cancel(output: Any) -> None:
    try:
        await output.athrow(asyncio.CancelledError())
    except (asyncio.CancelledError, StopAsyncIteration):
        pass
    finally:
        await output.aclose()
