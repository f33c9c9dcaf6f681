from __future__ import annotations

import asyncio
import socket

from headrace.host.control import (
    Beat,
    Channel,
    LoadingNow,
    Order,
    Plan,
    Report,
    Stop,
    read_order,
    read_report,
)

PLAN = Plan("app:app", "asgi", [], {"note": "x" * (1 << 20)}, 1, 1)


def test_words_arrive_whole_and_in_order_however_large() -> None:
    async def talk() -> list[Order]:
        heard: list[Order] = []
        lost = asyncio.Event()
        ours, theirs = socket.socketpair()
        arbiter = Channel(ours, read_report, lambda _: None, lambda: None)
        worker = Channel(theirs, read_order, heard.append, lost.set)
        for order in (PLAN, Stop(1.5), PLAN):
            arbiter.say(order)
        while len(heard) < 3:
            await asyncio.sleep(0)
        arbiter.close()
        arbiter.say(Stop(0))  # nobody is there: no error
        await asyncio.wait_for(lost.wait(), 5)
        worker.close()
        return heard

    assert asyncio.run(talk()) == [PLAN, Stop(1.5), PLAN]


def test_last_words_are_heard_of_one_that_has_ended() -> None:
    async def listen() -> tuple[list[Report], list[str]]:
        heard: list[Report] = []
        lost: list[str] = []
        ours, theirs = socket.socketpair()
        arbiter = Channel(ours, read_report, heard.append, lambda: lost.append("lost"))
        worker = Channel(theirs, read_order, lambda _: None, lambda: None)
        worker.say(Beat(3))
        worker.say(LoadingNow("weights", 1, 2))
        worker.close()
        arbiter.drain()
        arbiter.say(Stop(0))
        return heard, lost

    assert asyncio.run(listen()) == ([Beat(3), LoadingNow("weights", 1, 2)], ["lost"])
