"""Who waits for the batches of one object; when a batch is closed.

An object at rest takes what is there after a turn of the loop, or `wait_s` after the first came, or
a full batch at once. While it is at work the next batch gathers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

from headrace.errors import HeadraceError
from headrace.model.apart import task_apart
from headrace.model.batch_places import Caller, Reader
from headrace.model.batch_run import Search
from headrace.model.batch_shape import Shape
from headrace.model.beside import Beside

Run = Callable[[Shape, Sequence[Any], Search], Coroutine[Any, Any, None]]
_at_work: ContextVar[Queue | None] = ContextVar("headrace_batch", default=None)
"""Whose batch the running code is."""


class Queue:
    """One object's callers of one function, on one event loop."""

    def __init__(self, shape: Shape, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        """Nobody waits yet; `run` runs a batch."""
        self.loop = loop
        self._shape, self._limits, self._run = shape, shape.limits, run
        self._search = Search(shape)
        self._waiting: deque[Caller | Reader] = deque()
        self._ongoing = 0
        self._timer: asyncio.Handle | None = None

    def join(self, place: Caller | Reader) -> None:
        """Let a caller wait. Raises HeadraceError in a batch of this very queue."""
        if _at_work.get() is self:
            raise HeadraceError(
                f"{self._shape.name}, with @hr.batch, calls itself from within its batch, and "
                "would wait for itself: call a plain function that both share"
            )
        self._waiting.append(place)
        if len(self._waiting) >= self._limits.max_size:
            self._look()
        elif self._timer is None:
            self._look_later(place.arrived)

    def _look_later(self, first: float) -> None:
        """Look again when the first of those that wait has waited long enough."""
        if self._limits.wait_s:
            self._timer = self.loop.call_at(first + self._limits.wait_s, self._look)
        else:
            self._timer = self.loop.call_soon(self._look)

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = deque(place for place in self._waiting if place.is_wanted)
        while self._waiting and self._ongoing < self._limits.max_ongoing:
            first = self._waiting[0].arrived
            if len(self._waiting) < self._limits.max_size and self.loop.time() < self._due(first):
                self._look_later(first)
                return
            self._begin()

    def _due(self, first: float) -> float:
        return first + self._limits.wait_s

    def _begin(self) -> None:
        count = min(len(self._waiting), self._limits.max_size)
        places = [self._waiting.popleft() for _ in range(count)]
        self._ongoing += 1
        task = task_apart(self._worked(places))
        left = partial(_cancel_if_unwanted, task, places)
        for place in places:
            place.left = left
        task.add_done_callback(partial(self._ended, places))

    async def _worked(self, places: Sequence[Caller | Reader]) -> None:
        _at_work.set(self)
        await self._run(self._shape, places, self._search)

    def _ended(self, places: Sequence[Caller | Reader], task: asyncio.Task[None]) -> None:
        self._ongoing -= 1
        error = None if task.cancelled() else task.exception()
        for place in places:
            place.left = _nothing
            if not place.is_wanted:
                continue
            if error is None:  # the loop is ending, and its tasks were cancelled
                place.cancel()
            else:
                place.fail(error)
        if self._timer is None:  # those who have their answer now may come back in this turn
            self._timer = self.loop.call_soon(self._look)


class Queues:
    """The queue of each object that is still there."""

    def __init__(self, shape: Shape, run: Run) -> None:
        """There are none yet."""
        self._shape, self._run = shape, run
        self.beside: Beside[Queue] = Beside(f"the queue of {shape.name}, with @hr.batch,")

    def of(self, owner: object, loop: asyncio.AbstractEventLoop) -> Queue:
        """Return the queue of an object on this loop; a loop that is over has left none."""
        queue = self.beside.get(owner)
        if queue is None or queue.loop is not loop:
            queue = Queue(self._shape, self._run, loop)
            self.beside.put(owner, queue)
        return queue


def _cancel_if_unwanted(task: asyncio.Task[None], places: Sequence[Caller | Reader]) -> None:
    """Stop a batch that nobody waits for any more."""
    if not any(place.is_wanted for place in places):
        task.cancel()


def _nothing() -> None:
    """Nobody is to be told."""
