"""What a job tells while it runs, on its way to the store: its progress, and parts of its answer.

Progress is written down ten times a second at most; what is overtaken is dropped, the last word
never. Parts are written down together, all that came while the ones before were.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from headrace.core.attempts import Pulse
from headrace.errors import HeadraceError
from headrace.interfaces import Answer, Hold, JobStore, Progress

log = logging.getLogger("headrace.jobs")
EVERY_S: Final = 0.1
ITEM: Final = "item"
MOST_TOGETHER: Final = 200


class Telling:
    """One attempt's news."""

    def __init__(
        self,
        store: JobStore,
        hold: Hold,
        heed: Callable[[Pulse], None],
        took: Callable[[int], None],
    ) -> None:
        """`heed` hears what the store answers, `took` of parts that are written down."""
        self._store, self._hold, self._heed, self._took = store, hold, heed, took
        self._progress: Progress | None = None
        self._items: list[bytes] = []
        self._parts = 0
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    def progress(self, told: Progress) -> None:
        """Tell how far it is."""
        self._progress = told
        self._begin()

    def parts(self, parts: int, items: list[bytes]) -> None:
        """So many parts came; these are the news in them."""
        self._items += items
        self._parts += parts
        self._begin()

    async def over(self) -> None:
        """Return when all is written down that was told."""
        self._over.set()
        if self._task is not None:
            await self._task

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        told_at = -EVERY_S
        clock = asyncio.get_running_loop().time
        while self._progress is not None or self._parts:
            if self._parts:
                await self._tell_items()
            if self._progress is not None and (clock() >= told_at + EVERY_S or self._over.is_set()):
                told_at = clock()
                progress, self._progress = self._progress, None
                await self._written(self._store.progress(self._hold, progress))
            if not self._parts:
                await self._pause(told_at + EVERY_S - clock())

    async def _pause(self, seconds: float) -> None:
        """Wait until more may be told, or its attempt is over."""
        if seconds > 0 and not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()

    async def _tell_items(self) -> None:
        items, self._items = self._items, []
        parts, self._parts = self._parts, 0
        for at in range(0, len(items), MOST_TOGETHER):
            some = items[at : at + MOST_TOGETHER]
            await self._written(self._store.emit(self._hold, ITEM, some))
        self._took(parts)

    async def _written(self, answer: Answer[Pulse]) -> None:
        try:
            self._heed(await answer)
        except HeadraceError as error:  # news may be lost; the result never is
            log.debug("news of job %s: %s", self._hold.number, error)
