"""The models of one object whose `load` is `async def`: loads and teardowns are tasks.

Concurrent requests for one model wait for one load. It belongs to none of them: whoever leaves
leaves it to the others, and it goes on for those who come.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from headrace.errors import HookFailed
from headrace.model.apart import task_apart
from headrace.model.running_async import came_by_itself
from headrace.model.shelf import PATIENCE_S, Held, Load, Shelf, State, Step
from headrace.model.tearing import tear_down
from headrace.model.twins import twin_of

Changed = Callable[[Sequence[str], float], None]
"""Hears which models are there, and how long the newest took to load; 0 if none is new."""


class Shop(NamedTuple):
    """How one method loads models for one object."""

    owner: weakref.ref[Any]
    load: Callable[[Any, str], Any]
    most: int
    changed: Changed
    under_way: set[int]
    """The serials of the calls that its replica is at."""


class AsyncShelf:
    """One object's models, on one event loop."""

    def __init__(self, shop: Shop) -> None:
        """None is loaded yet."""
        self._shop = shop
        self._shelf = Shelf(shop.most, under_way=shop.under_way)
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: list[str] = []
        self.loop = asyncio.get_running_loop()

    @property
    def models(self) -> list[str]:
        """Those that are loaded."""
        return self._shelf.there

    async def get(self, model: str, calls: Sequence[int]) -> Any:
        """Return a model, loaded for these calls if need be; what its load raises passes."""
        held = self._shelf.asked(model, calls, waits=True)
        try:
            if held.state in (State.THERE, State.LEAVING):
                return held.model
            if held.signal is None:
                held.signal = self.loop.create_future()
            self._look()
            timer = self.loop.call_later(PATIENCE_S, self._hurry, held)
            try:
                await asyncio.shield(held.signal)
            finally:
                timer.cancel()
            if held.error is not None:
                raise twin_of(held.error)
            return held.model
        finally:
            self._shelf.released(held)
            self._look()

    def ended(self, call: int) -> None:
        """A call uses nothing any more."""
        self._shelf.ended(call)
        self._look()

    async def empty(self) -> None:
        """Tear all of them down, and drop what is being loaded."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._do(self._shelf.empty())
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _look(self) -> None:
        if not self._shelf.is_settled:
            self._do(self._shelf.steps())

    def _hurry(self, held: Held) -> None:
        held.urgent = True
        self._look()

    def _do(self, steps: Sequence[Step]) -> None:
        self._tell(0.0)
        for step in steps:
            work = self._load(step.held) if isinstance(step, Load) else self._tear_down(step.held)
            task = task_apart(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _load(self, held: Held) -> None:
        began = time.monotonic()
        try:
            model = await self._shop.load(self._shop.owner(), held.id)
        except Exception as error:  # noqa: BLE001 - those who wait for it hear of it
            self._shelf.failed(held, error)
        except asyncio.CancelledError as error:
            if not came_by_itself(error):
                self._shelf.failed(held, error)
                held.signal.cancel()
                raise
            words = "what its load awaited was cancelled"
            self._shelf.failed(held, HookFailed(f"model {held.id}: {words}"))
        else:
            self._shelf.loaded(held, model)
            self._tell(time.monotonic() - began)
        held.signal.set_result(None)
        self._look()

    async def _tear_down(self, held: Held) -> None:
        model, held.model = held.model, None
        await tear_down(model, held.id)
        del model
        self._shelf.torn_down(held)
        self._look()

    def _tell(self, load_s: float) -> None:
        models = self.models
        if models != self._told:
            self._told = models
            self._shop.changed(models, load_s)
