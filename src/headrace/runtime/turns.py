"""Work that is done one at a time, where who asks while it runs shares the next with the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Turns:
    """Takes turns at a work that reads something which may change behind it."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._next: asyncio.Task[None] | None = None

    async def share(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work at the next turn that has not begun, once for all who ask until then.

        Raises what the work raises, and CancelledError if `cancel` ended it.
        """
        if self._next is None:
            self._next = self._begin(work)
        await asyncio.shield(self._next)

    async def alone(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this work, at a turn of its own. Raises as `share` does."""
        await asyncio.shield(self._begin(work))

    def cancel(self) -> None:
        """End what is under way, and what waits."""
        for task in self._tasks:
            task.cancel()

    async def closed(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._take(work))
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    async def _take(self, work: Callable[[], Awaitable[None]]) -> None:
        async with self._turn:
            if self._next is asyncio.current_task():
                self._next = None  # whoever asks from here on may mean something newer
            await work()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._next is task:
            self._next = None
        if not task.cancelled():
            task.exception()  # if nobody waits any more, it was told in the log
