"""Run one batch, and give each caller its own; one that raises is run again in halves.

Nothing of a caller is in the context of a batch but what the function is given; hr.current_context
finds no one request. CancelledError passes where the task was cancelled: nobody waits any more. One
that comes up by itself is a failure like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from headrace.errors import HookFailed
from headrace.model.api import DONE
from headrace.model.batch_places import Caller, Reader
from headrace.model.batch_shape import Shape
from headrace.model.bisecting import MOST_IN_VAIN
from headrace.model.context import Several, current
from headrace.model.faults import in_a_line
from headrace.model.running_async import came_by_itself
from headrace.model.steps import BadBatch, dealt
from headrace.model.twins import twin_of

log = logging.getLogger("headrace.model")

P = TypeVar("P", bound=Caller | Reader)
T = TypeVar("T")


class Search:
    """Whether a batch that raises is worth searching: not while three in a row had nothing good."""

    __slots__ = ("_shape", "_vain")

    def __init__(self, shape: Shape) -> None:
        self._shape, self._vain = shape, 0

    def worked(self) -> None:
        """Note a run that did not raise."""
        self._vain = 0

    def in_vain(self) -> None:
        """Note a search in which everything failed."""
        self._vain += 1

    def halves(self, places: Sequence[P], error: Exception) -> list[Sequence[P]]:
        """Return what is to be run again; nothing where all of these have their error now."""
        limits, count = self._shape.limits, len(places)
        alone = count == 1 or isinstance(error, HookFailed)
        if alone or not limits.isolate or self._vain >= MOST_IN_VAIN:
            for number, place in enumerate(places):
                place.fail(twin_of(error) if number else error)
            return []
        words = in_a_line(error)
        log.warning("%s: %d items raised; each half runs again: %s", self._shape.name, count, words)
        return [places[: count // 2], places[count // 2 :]]


async def answer(shape: Shape, places: Sequence[Caller], search: Search) -> None:
    """Give every caller its answer."""
    groups, worked = [places], False
    while groups:
        group = [place for place in groups.pop() if place.is_wanted]
        if not group:
            continue
        outputs, error = await _tried(shape, _outputs(shape, group))
        if error is not None:
            groups += reversed(search.halves(group, error))
            continue
        worked = True
        search.worked()
        for place, output in zip(group, outputs or (), strict=True):
            place.give(output)
    if not worked and len(places) > 1:
        search.in_vain()


async def stream(shape: Shape, places: Sequence[Reader], search: Search) -> None:
    """Give every reader its items, until the generator ends or nobody is left."""
    if not await _streamed(shape, places, search) and len(places) > 1:
        search.in_vain()


async def _tried(shape: Shape, work: Coroutine[Any, Any, T]) -> tuple[T | None, Exception | None]:
    """Return what came of it: its callers wait, and are to hear of an exception."""
    try:
        return await work, None
    except Exception as error:  # noqa: BLE001 - as said
        return None, error
    except asyncio.CancelledError as error:
        if not came_by_itself(error):
            raise
        words = "what it awaited was cancelled, though its callers wait"
        return None, HookFailed(f"{shape.name}: {words}")


async def _outputs(shape: Shape, group: Sequence[Caller]) -> list[Any]:
    return _dealt(shape, await _call(shape, group), len(group))


class _Steps:
    """The readers of one generator; whether it has given them anything."""

    def __init__(self, group: list[Reader]) -> None:
        self.group, self.began = group, False


async def _streamed(shape: Shape, places: Sequence[Reader], search: Search) -> bool:
    """Tell whether any of it began."""
    steps = _Steps([place for place in places if place.is_wanted])
    if not steps.group:
        return True
    _, error = await _tried(shape, _stepped(shape, steps, search))
    if error is not None and not steps.began:
        halves = search.halves(steps.group, error)
        return any(await asyncio.gather(*(_streamed(shape, half, search) for half in halves)))
    for number, place in enumerate(steps.group):  # they have seen a part: it is not run again
        if error is None:
            place.end()
        else:
            place.fail(twin_of(error) if number else error)
    return True


async def _stepped(shape: Shape, steps: _Steps, search: Search) -> None:
    async with aclosing(_call(shape, steps.group)) as generator:
        async for rows in generator:
            if not steps.began:
                steps.began = True
                search.worked()
            steps.group = _given(steps.group, _dealt(shape, rows, len(steps.group)))
            if not steps.group:
                return
            try:
                await _room(steps.group)
            except asyncio.CancelledError:  # it stands at its `yield`, and is cancelled there
                with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                    await generator.athrow(asyncio.CancelledError())
                raise


async def _room(group: Sequence[Reader]) -> None:
    """Return when a reader has room; the others have their turn in any case."""
    await asyncio.sleep(0)
    while (wanted := [p for p in group if p.is_wanted]) and not any(p.has_room for p in wanted):
        room = asyncio.Event()
        for place in wanted:
            place.took = room.set
        await room.wait()


def _given(group: Sequence[Reader], items: Sequence[Any]) -> list[Reader]:
    """Give each its item; return those that the next step has items for."""
    staying = []
    for place, item in zip(group, items, strict=True):
        if item is DONE:
            place.end()
            continue
        place.give(item)
        if not isinstance(item, Exception):
            staying.append(place)
    return staying


def _call(shape: Shape, group: Sequence[Caller | Reader]) -> Any:
    """Call the function for these; the running task is theirs alone: see apart.py."""
    contexts = [place.context for place in group]
    current.set(Several(contexts, [call for place in group for call in place.calls]))
    return shape.call(group[0].owner, [place.values for place in group], contexts)


def _dealt(shape: Shape, outputs: Any, wanted: int) -> list[Any]:
    try:
        return dealt(outputs, wanted)
    except BadBatch as error:
        raise HookFailed(f"{shape.name}, with @hr.batch, {error}") from error
