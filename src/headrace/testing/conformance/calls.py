"""Every call that was sent ends once, with its own answers."""

from __future__ import annotations

import asyncio

from headrace.model.envelope import Fault
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import Batched, Obedient, ObedientAsync, Tidy


async def ready_comes_once(stage: Stage) -> None:
    """`ready` comes once, after every `progress`."""
    await stage.load(Tidy)
    await stage.answer(stage.send_now("x"))
    assert stage.ledger.readied == 1
    assert stage.ledger.steps == [(1.0, 2.0, "half of it")]


async def every_call_is_answered(stage: Stage) -> None:
    """A hundred calls, flushed in four writes, are answered each with its own value, in order."""
    replica = await stage.load(Obedient)
    serials = []
    for number in range(100):
        serials.append(stage.send({"wish": "echo", "value": number}))
        if number % 25 == 24:
            replica.flush()
    answers = [await stage.answer(serial) for serial in serials]
    assert answers == [[number] for number in range(100)]
    assert list(stage.ledger.answers) == serials


async def nothing_leaves_before_flush(stage: Stage) -> None:
    """Calls that were sent and not flushed stay; one flush lets all of them go."""
    replica = await stage.load(Obedient)
    first, second = (stage.send({"wish": "mark", "value": str(stage.mark)}) for _ in range(2))
    replica.flush()
    replica.flush()
    await stage.answer(first)
    await stage.answer(second)
    assert stage.mark.read_text() == "xx"


async def replies_are_aligned(stage: Stage) -> None:
    """A call of several requests has one reply for each, in their order; one fault is one reply."""
    await stage.load(Batched)
    first, second = stage.send_now(1, -1, 3), stage.send_now(4)
    one, fault, three = await stage.answer(first)
    assert (one, three) == (2, 6)
    assert isinstance(fault, Fault)
    assert await stage.answer(second) == [8]


async def answers_do_not_wait_for_the_next_call(stage: Stage) -> None:
    """The answers of a call leave before the call behind it begins."""
    await stage.load(Obedient)
    quick = stage.send({"wish": "echo", "value": 1})
    slow = stage.ask("sleep", 1.0)
    assert await stage.answer(quick) == [1]
    assert slow not in stage.ledger.answers
    await stage.answer(slow)


async def a_failing_hook_fails_only_its_request(stage: Stage) -> None:
    """Whatever a sync hook raises, its request ends in a fault; the replica goes on."""
    await stage.load(Obedient)
    await _fail_and_go_on(stage)


async def a_failing_async_hook_fails_only_its_request(stage: Stage) -> None:
    """Whatever an async hook raises, its request ends in a fault; the replica goes on."""
    await stage.load(ObedientAsync)
    await _fail_and_go_on(stage)


async def _fail_and_go_on(stage: Stage) -> None:
    for wish in ("fail", "fail_oddly", "no_such_wish"):
        (fault,) = await stage.answer(stage.ask(wish, "secret"))
        assert isinstance(fault, Fault)
        assert fault.status == 500
        assert "secret" not in fault.detail
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


async def async_calls_run_side_by_side(stage: Stage) -> None:
    """An async call is answered while an earlier one waits."""
    await stage.load(ObedientAsync)
    waiting = stage.ask("wait", str(stage.mark))
    assert await stage.answer(stage.ask("echo", 1)) == [1]
    assert waiting not in stage.ledger.ended


async def stop_cancels_an_async_call(stage: Stage) -> None:
    """`stop` cancels an async hook; the call still ends."""
    replica = await stage.load(ObedientAsync)
    serial = stage.ask("wait", str(stage.mark))
    await stage.marked(".begun")
    replica.stop(serial, 0)
    replica.flush()
    (fault,) = await stage.answer(serial)
    assert isinstance(fault, Fault)
    await stage.marked(".stopped")
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


async def stop_of_a_call_that_ended_is_nothing(stage: Stage) -> None:
    """A `stop` that comes too late stops nothing else."""
    replica = await stage.load(ObedientAsync)
    serial = stage.ask("echo", 1)
    await stage.answer(serial)
    replica.stop(serial, 0)
    assert await stage.answer(stage.ask("echo", 2)) == [2]
    assert list(stage.ledger.answers.values()) == [[b"1"], [b"2"]]


async def a_recalled_call_is_not_run(stage: Stage) -> None:
    """What is recalled before it is begun comes back once, unrun; later calls run."""
    replica = await stage.load(Obedient)
    kept = stage.send({"wish": "sleep", "value": 0.2})
    taken = [stage.send({"wish": "mark", "value": str(stage.mark)}) for _ in range(3)]
    first = replica.recall(taken[0])
    replica.flush()
    assert first in (None, taken[0])
    await stage.ledger.until(lambda: len(stage.ledger.returns) == len(taken))
    await stage.answer(kept)
    assert stage.ledger.returns == taken
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]
    assert not stage.mark.exists()


async def recalling_nothing_is_nothing(stage: Stage) -> None:
    """A recall of calls that have all ended takes nothing, and blocks nothing."""
    replica = await stage.load(Obedient)
    serial = stage.ask("echo", 1)
    await stage.answer(serial)
    first = replica.recall(serial)
    assert first is None or first > serial
    assert await stage.answer(stage.ask("echo", 2)) == [2]
    assert not stage.ledger.returns


async def a_big_call_passes(stage: Stage) -> None:
    """Bodies far over any socket's buffer pass both ways."""
    await stage.load(Obedient)
    text = "x" * (4 << 20)
    serials = [stage.ask("echo", text + str(number)) for number in range(3)]
    async with asyncio.timeout(10):
        answers = [await stage.answer(serial) for serial in serials]
    assert answers == [[f"{text}{number}"] for number in range(3)]


CHECKS = (
    ready_comes_once,
    every_call_is_answered,
    nothing_leaves_before_flush,
    replies_are_aligned,
    answers_do_not_wait_for_the_next_call,
    a_failing_hook_fails_only_its_request,
    a_failing_async_hook_fails_only_its_request,
    async_calls_run_side_by_side,
    stop_cancels_an_async_call,
    stop_of_a_call_that_ended_is_nothing,
    a_recalled_call_is_not_run,
    recalling_nothing_is_nothing,
    a_big_call_passes,
)
