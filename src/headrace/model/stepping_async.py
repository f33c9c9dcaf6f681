"""What is stepped together in a streaming model with `async def`: as `stepping` does, awaiting.

Each group runs as one task, which may be cancelled. Sync generators are taken as well: the loop has
a turn after each of their items. `told` is called after each step: what may leave can leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from headrace.model.answering import contexts_of, fail_all, has_room
from headrace.model.answering_async import (
    FAILS,
    cancelled,
    close,
    following,
    items_of,
    receive,
    respond,
)
from headrace.model.api import DONE
from headrace.model.bisecting import Search, Streak, renewed
from headrace.model.checks import Streams
from headrace.model.context import current
from headrace.model.envelope import Envelope
from headrace.model.group import END, AsyncGroup, OpenAsync, Recipe, Told
from headrace.model.joining_async import Joined
from headrace.model.outlet import Outlet
from headrace.model.steps import dealt


def open_with(streams: Streams, recipe: Recipe, model: Any) -> OpenAsync:
    """Give what begins the streams of a model, by the way it streams."""
    if streams == "each":
        return one_by_one(recipe, model)
    return as_a_batch(recipe, model) if streams == "batch" else continuously(recipe, model)


def one_by_one(recipe: Recipe, model: Any) -> OpenAsync:
    """Give each request a generator of its own."""

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[AsyncGroup, Outlet]]:
        return [
            together(Outlet(envelope, recipe.media, place))
            for place, envelope in enumerate(envelopes)
        ]

    def together(outlet: Outlet) -> tuple[AsyncGroup, Outlet]:
        return Generating(recipe, model, [outlet]), outlet

    return begin


def as_a_batch(recipe: Recipe, model: Any) -> OpenAsync:
    """Give each call a generator for all its requests."""
    streak = Streak(isolate=recipe.isolate)

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[AsyncGroup, Outlet]]:
        outlets = [
            Outlet(envelope, recipe.media, place) for place, envelope in enumerate(envelopes)
        ]
        group = Generating(recipe, model, outlets, search=Search(streak, outlets))
        return [(group, outlet) for outlet in outlets]

    return begin


def continuously(recipe: Recipe, model: Any) -> OpenAsync:
    """Let every request join the ones that are under way."""
    group = Joined(recipe, model)

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[AsyncGroup, Outlet]]:
        return [
            (group, group.join(Outlet(envelope, recipe.media, place)))
            for place, envelope in enumerate(envelopes)
        ]

    return begin


class Generating:
    """One generator, for one request or for all of a call.

    One for a call that raises before its first items is tried again in halves: see `stepping`.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: Any,
        outlets: list[Outlet],
        *,
        search: Search | None = None,
        again: bool = False,
    ) -> None:
        """Nothing runs before `run`; without a search it is for one request alone."""
        self._recipe, self._model = recipe, model
        self._search, self._alone, self._again = search, search is None, again
        self._began = False
        self._outlets = self._active = outlets
        self._items: Any = None
        self._news = asyncio.Event()
        self._halves: list[Generating] = []
        self._running: list[asyncio.Task[None]] = []

    @property
    def unwanted(self) -> bool:
        """See `AsyncGroup`."""
        return not any(outlet.listening for outlet in self._active)

    @property
    def has_more(self) -> bool:
        """See `AsyncGroup`."""
        return False

    def wake(self) -> None:
        """See `AsyncGroup`."""
        self._news.set()
        for half, task in zip(self._halves, self._running, strict=False):
            half.wake()
            if half.unwanted:
                task.cancel()

    def fail(self, error: BaseException) -> None:
        """See `AsyncGroup`."""
        fail_all(error, self._recipe.hook, self._outlets)
        self.close()

    def close(self) -> None:
        """See `AsyncGroup`."""
        for outlet in self._outlets:
            outlet.let_go()

    async def run(self, told: Told) -> None:
        """See `AsyncGroup`."""
        cut = True
        try:
            await self._receive_all()
            while not self.unwanted:
                if self._halves:
                    await self._run_halves(told)
                elif has_room(self._active):
                    await self._advance()
                    told()
                    await asyncio.sleep(0)  # one that never waits shares the loop all the same
                else:
                    self._news.clear()
                    await self._news.wait()
            cut = any(not outlet.wanted for outlet in self._active)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                fail_all(error, self._recipe.hook, self._outlets)
            raise
        finally:
            await close(self._items, self._recipe, self._outlets, cut=cut)
            self.close()

    async def _run_halves(self, told: Told) -> None:
        """Run them side by side; each has told its clients how it ended."""
        self._running = [asyncio.create_task(half.run(told)) for half in self._halves]
        await asyncio.gather(*self._running, return_exceptions=True)
        for half in self._halves:
            half.close()

    async def _receive_all(self) -> None:
        if self._again:
            renewed(self._outlets)
        for outlet in self._outlets:
            if outlet.listening:
                await receive(self._recipe, self._model, outlet)
        self._active = [outlet for outlet in self._outlets if outlet.listening]
        if self._search is not None and not self._active:
            self._search.nobody()

    async def _advance(self) -> None:
        current.set(self._active[0].context if self._alone else None)
        try:
            if self._items is None:
                self._items = await self._begin()
            given = await following(self._items)
            if given is END:
                outputs = [DONE] * len(self._active)
            else:
                outputs = [given] if self._alone else dealt(given, len(self._active))
        except FAILS as error:
            if cancelled(error):
                raise
            self._failed(error)
            return
        self._note_begun()
        pairs = zip(self._active, outputs, strict=True)
        self._active = [
            outlet
            for outlet, output in pairs
            if await respond(self._recipe, self._model, outlet, output)
        ]

    def _note_begun(self) -> None:
        if not self._began and self._search is not None:
            self._search.began()
        self._began = True

    def _failed(self, error: BaseException) -> None:
        if self._began or self._search is None:
            fail_all(error, self._recipe.hook, self._active)
            return
        self._halves = [
            Generating(self._recipe, self._model, half, search=self._search, again=True)
            for half in self._search.halves(self._active, self._recipe.hook, error)
        ]

    async def _begin(self) -> Any:
        if self._alone:
            return await items_of(self._recipe, self._model, self._active[0])
        values = [outlet.value for outlet in self._active]
        for outlet in self._active:
            outlet.value = None
        items = self._recipe.steps.work(self._model, values, contexts_of(self._active))
        return items if hasattr(items, "__anext__") else iter(items)


async def run_all(groups: Sequence[AsyncGroup]) -> None:
    """Run groups side by side, each as a task, to their ends."""
    await asyncio.gather(*(group.run(lambda: None) for group in groups))
