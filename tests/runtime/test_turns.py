"""Turns: who asks while the work is done shares the next one."""

from __future__ import annotations

import asyncio

import pytest

from headrace.runtime.turns import Turns


class Work:
    """Counts how often it is done; each time waits for a word."""

    def __init__(self) -> None:
        self.begun, self.gate = 0, asyncio.Event()

    async def do(self) -> None:
        self.begun += 1
        await self.gate.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_all_who_ask_while_one_runs_share_the_next() -> None:
    async def scene() -> None:
        turns, work = Turns(), Work()
        first = asyncio.create_task(turns.share(work.do))
        await settle()
        others = [asyncio.create_task(turns.share(work.do)) for _ in range(5)]
        await settle()
        assert work.begun == 1
        work.gate.set()
        await asyncio.gather(first, *others)
        assert work.begun == 2
        await turns.share(work.do)
        assert work.begun == 3

    asyncio.run(scene())


def test_one_that_is_alone_shares_with_nobody_and_waits_its_turn() -> None:
    async def scene() -> None:
        turns, work = Turns(), Work()
        tasks = []
        for ask in (turns.share, turns.alone, turns.share):
            tasks.append(asyncio.create_task(ask(work.do)))
            await settle()
        assert work.begun == 1
        work.gate.set()
        await asyncio.gather(*tasks)
        assert work.begun == 3

    asyncio.run(scene())


def test_a_failure_reaches_all_who_shared_it_and_the_next_goes_on() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def scene() -> None:
        turns, work = Turns(), Work()
        work.gate.set()
        asks = [turns.share(fail) for _ in range(3)]
        outcomes = await asyncio.gather(*asks, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["no"] * 3
        await turns.share(work.do)
        assert work.begun == 1

    asyncio.run(scene())


def test_who_leaves_ends_nothing_and_cancel_ends_all() -> None:
    async def scene() -> None:
        turns, work = Turns(), Work()
        leaver = asyncio.create_task(turns.share(work.do))
        await settle()
        leaver.cancel()
        await settle()
        waiter = asyncio.create_task(turns.share(work.do))
        await settle()
        assert work.begun == 1
        turns.cancel()
        await turns.closed()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert work.begun == 1

    asyncio.run(scene())
