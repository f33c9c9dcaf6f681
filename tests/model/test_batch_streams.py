"""`@hr.batch` on an async generator: each caller reads the items of its own place."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import headrace as hr
from headrace.errors import HookFailed
from headrace.model.batch_places import MOST_BEHIND, SlowReader
from tests.support.loops import on_a_loop, turns


class Counter:
    """Counts down from each number; remembers what it was given, and how its runs ended."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.steps = 0
        self.ends: list[str] = []
        self.gate: asyncio.Event | None = None

    @hr.batch(max_size=8)
    async def count(self, numbers: list[int]) -> AsyncIterator[list[Any]]:
        self.runs.append(list(numbers))
        if any(number < 0 for number in numbers):
            raise ValueError(min(numbers))
        left = numbers
        try:
            while left:
                self.steps += 1
                if self.gate is not None:
                    await self.gate.wait()
                items = [KeyError(13) if n == 13 else n or hr.DONE for n in left]
                yield items
                left = [n - 1 for n, item in zip(left, items, strict=True) if type(item) is int]
        except (asyncio.CancelledError, GeneratorExit) as error:
            self.ends.append(type(error).__name__)
            raise


async def read(stream: AsyncIterator[Any]) -> list[Any]:
    """Return the items, and the exception that ended them, if one did."""
    items: list[Any] = []
    try:
        async for item in stream:
            items.append(item)  # noqa: PERF401 - those before an exception count too
    except Exception as error:  # noqa: BLE001 - it is what is looked at
        items.append(error)
    return items


async def firsts(*streams: AsyncIterator[Any]) -> list[Any]:
    """Return the first item of each, begun together."""
    return await asyncio.gather(*(anext(stream) for stream in streams))


@on_a_loop
async def test_each_reads_its_own_and_may_end_early() -> None:
    thing = Counter()
    found = await asyncio.gather(*(read(thing.count(n)) for n in (3, 0, 5)))
    assert found == [[3, 2, 1], [], [5, 4, 3, 2, 1]]
    assert thing.runs == [[3, 0, 5]]


@on_a_loop
async def test_an_exception_in_the_place_of_an_item_ends_that_stream_alone() -> None:
    found = await asyncio.gather(*(read(Counter.count(THING, n)) for n in (2, 14)))
    assert found[0] == [2, 1]
    assert found[1][0] == 14
    assert type(found[1][1]) is KeyError


THING = Counter()


@on_a_loop
async def test_what_raises_before_its_first_items_runs_again_in_halves() -> None:
    thing = Counter()
    found = await asyncio.gather(*(read(thing.count(n)) for n in (2, -1, 1, 3)))
    assert [found[0], found[2], found[3]] == [[2, 1], [1], [3, 2, 1]]
    assert [type(each) for each in found[1]] == [ValueError]


@on_a_loop
async def test_what_raises_behind_its_first_items_is_not_run_again() -> None:
    runs = []

    @hr.batch()
    async def f(xs: list[int]) -> AsyncIterator[list[int]]:
        runs.append(xs)
        yield xs
        raise ValueError("late")

    found = await asyncio.gather(read(f(1)), read(f(2)))
    assert [[first, str(end)] for first, end in found] == [[1, "late"], [2, "late"]]
    assert found[0][1] is not found[1][1]
    assert len(runs) == 1


@on_a_loop
async def test_a_step_of_a_wrong_length_fails_all_that_are_left() -> None:
    @hr.batch()
    async def f(xs: list[int]) -> AsyncIterator[list[int]]:
        yield [*xs, 0]

    found = await asyncio.gather(read(f(1)), read(f(2)))
    assert {type(each) for (each,) in found} == {HookFailed}
    assert "returned 3 outputs for 2 inputs" in str(found[0][0])


@on_a_loop
async def test_a_reader_who_leaves_takes_nobody_along_and_the_last_closes_the_generator() -> None:
    thing = Counter()
    async with aclosing(thing.count(1000)) as first, aclosing(thing.count(2000)) as second:
        assert await firsts(first, second) == [1000, 2000]
        await first.aclose()
        assert [await anext(second) for _ in range(3)] == [1999, 1998, 1997]
        assert not thing.ends
    await turns(10)
    assert thing.ends == ["CancelledError"]


@on_a_loop
async def test_a_cancelled_reader_stops_the_work() -> None:
    thing = Counter()
    thing.gate = asyncio.Event()
    reading = asyncio.ensure_future(read(thing.count(5)))
    await turns()
    reading.cancel()
    await turns(10)
    assert thing.ends == ["CancelledError"]


@on_a_loop
async def test_a_generator_goes_no_further_than_its_readers_have_room() -> None:
    thing = Counter()
    stream = thing.count(1000)
    assert await anext(stream) == 1000
    await turns(200)
    ahead = thing.steps
    assert ahead < 50
    assert [await anext(stream) for _ in range(100)] == list(range(999, 899, -1))
    await stream.aclose()
    await turns(10)


@on_a_loop
async def test_a_reader_far_behind_the_others_is_let_go() -> None:
    thing = Counter()
    slow, quick = thing.count(1000), thing.count(1000)
    assert await firsts(slow, quick) == [1000, 1000]
    assert len(await read(quick)) == 987  # to the KeyError
    items = await read(slow)
    assert len(items) == MOST_BEHIND + 2
    assert type(items[-1]) is SlowReader


def test_a_stream_is_an_async_generator_to_who_looks_at_it() -> None:
    assert inspect.isasyncgenfunction(Counter.count)
