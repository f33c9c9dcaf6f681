"""An executor that interrupts: a step that nobody waits for is stopped, and no other stream."""

from __future__ import annotations

import time
from random import Random

from headrace.core.credit import WINDOW
from headrace.core.messages import Serial
from headrace.model.envelope import Closed, Fault
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.streamers import (
    TICK_S,
    Dawdler,
    DawdlersTogether,
    DawdlingCrowd,
    Ticker,
)

SOON_S = 2.0
ROUNDS = 100
ITEMS = WINDOW // 2


async def interrupt_ends_a_step_that_sleeps(stage: Stage) -> None:
    """`interrupt` ends a generator that waits between two items, at once; the replica goes on."""
    await _interrupt(stage, "sleep")


async def interrupt_ends_a_step_that_computes(stage: Stage) -> None:
    """The same for a loop in Python."""
    await _interrupt(stage, "spin")


async def a_step_that_swallows_its_interrupt_gives_nothing_more(stage: Stage) -> None:
    """A generator that swallows Cancelled is closed at its next item, which nobody gets."""
    await _interrupt(stage, "swallow")


async def _interrupt(stage: Stage, wish: str) -> None:
    replica = await stage.load(Dawdler)
    serial = stage.send_now({"wish": wish, "mark": str(stage.mark)})
    await stage.marked(".begun")
    began = time.monotonic()
    for _ in range(3):
        replica.interrupt(serial)
    await _is_given_up(stage, serial)
    assert time.monotonic() - began < SOON_S
    assert stage.mark.with_name(f"{stage.mark.name}.over").read_text() == "x"
    assert len(stage.ledger.streams[serial, 0]) == 2, "it opened, and gave its first item"
    await _goes_on(stage)


async def _goes_on(stage: Stage) -> None:
    """See that the next stream gets as far as the first one did."""
    second = stage.mark.with_name("second")
    serial = stage.send_now({"wish": "sleep", "mark": str(second)})
    await stage.ledger.until(lambda: len(stage.ledger.streams.get((serial, 0), [])) == 2)


async def _is_given_up(stage: Stage, serial: Serial) -> None:
    for fault in await stage.answer(serial):
        assert isinstance(fault, Fault)
        assert fault.status == 499


async def interrupt_ends_the_step_of_an_earlier_stream(stage: Stage) -> None:
    """`interrupt` finds a stream whose step hangs also when others were begun after it."""
    replica = await stage.load(Dawdler)
    suffixes = (".1", ".2", ".3")
    serials = [stage.send({"wish": "sleep", "mark": f"{stage.mark}{each}"}) for each in suffixes]
    replica.flush()
    for serial, suffix in zip(serials, suffixes, strict=True):
        await stage.marked(f"{suffix}.begun")
        replica.interrupt(serial)
        await _is_given_up(stage, serial)
    await _goes_on(stage)


async def interrupt_ends_the_step_of_a_batch(stage: Stage) -> None:
    """`interrupt` of a call of several streams ends them all."""
    replica = await stage.load(DawdlersTogether)
    serial = stage.send_now(str(stage.mark), "another")
    await stage.marked(".begun")
    replica.interrupt(serial)
    await _is_given_up(stage, serial)
    assert len(stage.ledger.answers[serial]) == 2


async def interrupt_ends_the_step_of_one_who_is_alone(stage: Stage) -> None:
    """`interrupt` ends a step that works for one request only; who joins next is served."""
    replica = await stage.load(DawdlingCrowd)
    serial = stage.send_now(str(stage.mark))
    await stage.marked(".begun")
    replica.interrupt(serial)
    await _is_given_up(stage, serial)
    assert stage.mark.with_name(f"{stage.mark.name}.over").read_text() == "x"
    assert await stage.answer(stage.send_now("")) == [Closed()]


async def no_other_stream_is_interrupted(stage: Stage) -> None:
    """Whenever it comes, an `interrupt` meets a step of its own stream or none."""
    replica = await stage.load(Ticker)
    chance, met = Random(ROUNDS), 0  # noqa: S311 - seeded, not secret
    for _ in range(ROUNDS):
        first, second = stage.send(ITEMS), stage.send(ITEMS)
        replica.flush()
        end = time.perf_counter() + chance.random() * 3 * ITEMS * TICK_S
        while time.perf_counter() < end:
            pass
        replica.interrupt(first)
        answer = await stage.answer(second)
        assert answer == [Closed()], f"it was another's interrupt: {answer} {stage.ledger.lines}"
        assert len(stage.ledger.streams[second, 0]) == ITEMS + 1
        met += await stage.answer(first) != [Closed()]
    assert met > 0, "no contest"


CHECKS = (
    interrupt_ends_a_step_that_sleeps,
    interrupt_ends_a_step_that_computes,
    a_step_that_swallows_its_interrupt_gives_nothing_more,
    interrupt_ends_the_step_of_an_earlier_stream,
    interrupt_ends_the_step_of_a_batch,
    interrupt_ends_the_step_of_one_who_is_alone,
    no_other_stream_is_interrupted,
)
