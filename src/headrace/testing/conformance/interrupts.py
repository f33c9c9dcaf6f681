"""An executor that interrupts: sync code that nobody waits for is stopped, and no other."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from headrace.core.messages import Serial, Why
from headrace.errors import Cancelled
from headrace.model.api import Model
from headrace.model.envelope import Fault
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import LONG_S, Batched, Obedient, leave_mark

ROUNDS = 300
CALL_S = 0.0001
SOON_S = 2.0


class Careful(Model):
    """Does what each request wishes, and notices when it is stopped."""

    def predict(self, wish: str, value: Any = None) -> Any:
        """Fulfil one wish."""
        return getattr(self, wish)(value)

    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value

    def spin(self, value: Any) -> Any:
        """Compute for a moment, give it back."""
        end = time.perf_counter() + CALL_S
        while time.perf_counter() < end:
            pass
        return value

    def tidy(self, path: str) -> None:
        """Wait, and clean up in the end."""
        leave_mark(f"{path}.begun")
        try:
            time.sleep(LONG_S)
        finally:
            leave_mark(f"{path}.tidied")

    def stubborn(self, path: str) -> str:
        """Swallow what would end it, and go on for a moment."""
        leave_mark(f"{path}.begun")
        try:
            time.sleep(LONG_S)
        except Cancelled:
            leave_mark(f"{path}.swallowed")
        return "too late"


async def interrupt_ends_a_loop(stage: Stage) -> None:
    """`interrupt` ends a loop in Python at once; the replica goes on."""
    await _interrupt(stage, "spin")


async def interrupt_ends_a_sleep(stage: Stage) -> None:
    """`interrupt` ends a blocking call that hears signals, at once; the replica goes on."""
    await _interrupt(stage, "mark_and_sleep")


async def _interrupt(stage: Stage, wish: str) -> None:
    replica = await stage.load(Obedient)
    serial = stage.ask(wish, str(stage.mark))
    await stage.marked()
    began = time.monotonic()
    replica.interrupt(serial)
    await _is_given_up(stage, serial)
    assert time.monotonic() - began < SOON_S
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


async def _is_given_up(stage: Stage, serial: Serial) -> None:
    for fault in await stage.answer(serial):
        assert isinstance(fault, Fault)
        assert fault.status == 499


async def an_interrupted_hook_cleans_up(stage: Stage) -> None:
    """`finally` runs; it is not interrupted in its turn, however often it is asked."""
    replica = await stage.load(Careful)
    serial = stage.ask("tidy", str(stage.mark))
    await stage.marked(".begun")
    for _ in range(3):
        replica.interrupt(serial)
    await _is_given_up(stage, serial)
    assert stage.mark.with_name(f"{stage.mark.name}.tidied").read_text() == "x"
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


async def a_swallowed_interrupt_drops_the_answer(stage: Stage) -> None:
    """A hook that swallows Cancelled ends as it likes; what it returns is nobody's."""
    replica = await stage.load(Careful)
    serial = stage.ask("stubborn", str(stage.mark))
    await stage.marked(".begun")
    replica.interrupt(serial)
    await _is_given_up(stage, serial)
    await stage.marked(".swallowed")
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


async def a_call_that_was_not_begun_is_not_begun(stage: Stage) -> None:
    """`interrupt` of a call that is still on its way ends it unrun."""
    replica = await stage.load(Obedient)
    serial = stage.send({"wish": "mark", "value": str(stage.mark)})
    replica.interrupt(serial)
    replica.flush()
    await _is_given_up(stage, serial)
    assert not stage.mark.exists()
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


async def every_request_of_an_interrupted_batch_is_given_up(stage: Stage) -> None:
    """`interrupt` of a call of several ends them all."""
    replica = await stage.load(Batched)
    serial = stage.send(1, 2, 3)
    replica.interrupt(serial)
    replica.flush()
    await _is_given_up(stage, serial)
    assert len(stage.ledger.answers[serial]) == 3
    assert await stage.answer(stage.send_now(4)) == [8]


async def an_interrupt_that_comes_too_late_is_nothing(stage: Stage) -> None:
    """`interrupt` of a call that has ended meets no other one."""
    replica = await stage.load(Careful)
    serial = stage.ask("echo", 1)
    assert await stage.answer(serial) == [1]
    running = stage.ask("spin", 2)
    for _ in range(100):
        replica.interrupt(serial)
    assert await stage.answer(running) == [2]


async def no_other_call_is_interrupted(stage: Stage) -> None:
    """Whenever it comes, an `interrupt` meets its own call or none."""
    await stage.load(Careful)
    await contest(stage, ROUNDS)


async def contest(stage: Stage, rounds: int) -> tuple[int, int]:
    """Interrupt calls at any moment, each with a call behind it; tell how many it met and missed.

    Raises AssertionError where it met the one behind.
    """
    chance = Random(rounds)  # noqa: S311 - seeded, not secret
    assert stage.replica is not None
    met = 0
    for number in range(rounds):
        first, second = (
            stage.send({"wish": "spin", "value": value}) for value in (number, -number)
        )
        stage.replica.flush()
        end = time.perf_counter() + chance.random() * 3 * CALL_S
        while time.perf_counter() < end:
            pass
        stage.replica.interrupt(first)
        assert await stage.answer(second) == [-number], "it was another's interrupt"
        (answer,) = await stage.answer(first)
        if answer != number:
            await _is_given_up(stage, first)
            met += 1
    return met, rounds - met


async def abort_tells_where_it_hangs(stage: Stage) -> None:
    """`abort` prints the stacks, then ends the replica as asked."""
    replica = await stage.load(Obedient)
    serial = stage.ask("mark_and_sleep", str(stage.mark))
    await stage.marked()
    replica.abort()
    ending = await stage.gone(SOON_S)
    assert (ending.why, ending.claimed) == (Why.ASKED, serial)
    assert any("in mark_and_sleep" in line for line in stage.ledger.lines), stage.ledger.lines


CHECKS = (
    interrupt_ends_a_loop,
    interrupt_ends_a_sleep,
    an_interrupted_hook_cleans_up,
    a_swallowed_interrupt_drops_the_answer,
    a_call_that_was_not_begun_is_not_begun,
    every_request_of_an_interrupted_batch_is_given_up,
    an_interrupt_that_comes_too_late_is_nothing,
    no_other_call_is_interrupted,
    abort_tells_where_it_hangs,
)
