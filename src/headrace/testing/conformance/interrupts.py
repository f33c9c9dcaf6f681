"""An executor that interrupts: sync code that nobody waits for is stopped."""

from __future__ import annotations

from headrace.model.envelope import Fault
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import Obedient


async def stop_ends_a_loop(stage: Stage) -> None:
    """`stop` of the only request of a call ends a loop in Python; the replica goes on."""
    replica = await stage.load(Obedient)
    serial = stage.ask("spin", str(stage.mark))
    await stage.marked()
    replica.stop(serial, 0)
    replica.flush()
    (fault,) = await stage.answer(serial)
    assert isinstance(fault, Fault)
    assert await stage.answer(stage.ask("echo", "on")) == ["on"]


CHECKS = (stop_ends_a_loop,)
