"""What is stepped together in a streaming model without `async def`, one step at a time.

A step runs user code once and gives its items to the outlets. No Exception leaves a step. A
BaseException does: whoever catches it ends the group with `fail`. Each group runs in a contextvars
context of its own, so that what one generator sets is not seen by the next one in turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from typing import Any

from headrace.model.answering import close, fail_all, has_room, items_of, receive, respond
from headrace.model.api import DONE
from headrace.model.bisecting import Search, Streak, renewed
from headrace.model.checks import Streams
from headrace.model.context import current
from headrace.model.envelope import Envelope
from headrace.model.faults import fault_of
from headrace.model.group import END, Group, Open, Recipe
from headrace.model.joining import Joined
from headrace.model.outlet import Outlet
from headrace.model.steps import dealt


def open_with(streams: Streams, recipe: Recipe, model: Any) -> Open:
    """Give what begins the streams of a model, by the way it streams."""
    if streams == "each":
        return one_by_one(recipe, model)
    return as_a_batch(recipe, model) if streams == "batch" else continuously(recipe, model)


def one_by_one(recipe: Recipe, model: Any) -> Open:
    """Give each request a generator of its own."""

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[Group, Outlet]]:
        groups = [
            Alone(recipe, model, Outlet(envelope, recipe.media, place))
            for place, envelope in enumerate(envelopes)
        ]
        return [(group, group.outlet) for group in groups]

    return begin


def as_a_batch(recipe: Recipe, model: Any) -> Open:
    """Give each call a generator for all its requests."""
    streak = Streak(isolate=recipe.isolate)

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[Group, Outlet]]:
        outlets = [
            Outlet(envelope, recipe.media, place) for place, envelope in enumerate(envelopes)
        ]
        group = Together(recipe, model, outlets, Search(streak, outlets))
        return [(group, outlet) for outlet in outlets]

    return begin


def continuously(recipe: Recipe, model: Any) -> Open:
    """Let every request join the ones that are under way."""
    group = Joined(recipe, model)

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[Group, Outlet]]:
        return [
            (group, group.join(Outlet(envelope, recipe.media, place)))
            for place, envelope in enumerate(envelopes)
        ]

    return begin


class Alone:
    """One request, one generator."""

    def __init__(self, recipe: Recipe, model: Any, outlet: Outlet) -> None:
        """Nothing runs before the first step."""
        self.outlet, self.over = outlet, False
        self._recipe, self._model = recipe, model
        self._run = copy_context().run
        self._run(current.set, outlet.context)
        self._items: Iterator[Any] | None = None

    @property
    def ready(self) -> bool:
        """See `Group`."""
        return self.outlet.room or not self.outlet.listening

    def step(self) -> None:
        """See `Group`."""
        if self.outlet.listening:
            self._run(self._advance)
        if not self.outlet.listening:
            self.close()

    def fail(self, error: BaseException) -> None:
        """See `Group`."""
        fail_all(error, self._recipe.hook, [self.outlet])
        self.close()

    def close(self) -> None:
        """See `Group`."""
        self.over = True
        self._run(close, self._items, self._recipe, [self.outlet])

    def _advance(self) -> None:
        outlet = self.outlet
        if self._items is None:
            receive(self._recipe, self._model, outlet)
            if outlet.reply is not None:
                return
        try:
            if self._items is None:
                self._items = items_of(self._recipe, self._model, outlet)
            item = next(self._items, END)
        except Exception as error:  # noqa: BLE001 - the client waits, and hears of it
            outlet.fail(fault_of(error, self._recipe.hook, [outlet.context]), error)
            return
        respond(self._recipe, self._model, outlet, DONE if item is END else item)


class Together:
    """The requests of one call, one generator that gives an item for each with every step.

    Whoever has left stays in the alignment: the generator alone takes an item out. One that raises
    before its first step is tried again in halves, which then go on side by side.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: Any,
        outlets: list[Outlet],
        search: Search,
        *,
        again: bool = False,
    ) -> None:
        """Nothing runs before the first step; `again` is a half of those that were tried before."""
        self.over = False
        self._recipe, self._model, self._outlets = recipe, model, outlets
        self._active = outlets
        self._search, self._again, self._began = search, again, False
        self._halves: deque[Together] = deque()
        self._run = copy_context().run
        self._run(current.set, None)
        self._items: Iterator[Any] | None = None

    @property
    def ready(self) -> bool:
        """See `Group`; where no reader at all has room, there is nobody to be held up."""
        if self._halves:
            return any(half.ready for half in self._halves)
        return has_room(self._active)

    def step(self) -> None:
        """See `Group`."""
        if self._halves:
            self._step_a_half()
            return
        if any(outlet.listening for outlet in self._active):
            self._run(self._advance)
        if not self._halves and not any(outlet.listening for outlet in self._active):
            self.close()

    def fail(self, error: BaseException) -> None:
        """See `Group`."""
        fail_all(error, self._recipe.hook, self._outlets)
        self.close()

    def close(self) -> None:
        """See `Group`."""
        self.over = True
        for half in self._halves:
            half.close()
        self._run(close, self._items, self._recipe, self._outlets)

    def _step_a_half(self) -> None:
        ready = next((half for half in self._halves if half.ready), None)
        if ready is not None:
            self._halves.remove(ready)
            ready.step()
            if not ready.over:
                self._halves.append(ready)
        self.over = not self._halves

    def _advance(self) -> None:
        try:
            if self._items is None:
                self._items = self._begin()
            rows = next(self._items, END)
            outputs = [DONE] * len(self._active) if rows is END else dealt(rows, len(self._active))
        except Exception as error:  # noqa: BLE001 - their clients wait, and hear of it
            self._failed(error)
            return
        if not self._began:
            self._began = True
            (self._search.began if self._active else self._search.nobody)()
        pairs = zip(self._active, outputs, strict=True)
        self._active = [
            outlet for outlet, output in pairs if respond(self._recipe, self._model, outlet, output)
        ]

    def _failed(self, error: Exception) -> None:
        if self._began:
            fail_all(error, self._recipe.hook, self._active)
            return
        halves = self._search.halves(self._active, self._recipe.hook, error)
        self._halves.extend(
            Together(self._recipe, self._model, half, self._search, again=True) for half in halves
        )

    def _begin(self) -> Iterator[Any]:
        if self._again:
            renewed(self._active)
        for outlet in self._active:
            if outlet.listening:
                receive(self._recipe, self._model, outlet)
        self._active = [outlet for outlet in self._active if outlet.listening]
        if not self._active:
            return iter(())
        values = [outlet.value for outlet in self._active]
        for outlet in self._active:
            outlet.value = None
        contexts = [outlet.context for outlet in self._active]
        return iter(self._recipe.steps.work(self._model, values, contexts))
