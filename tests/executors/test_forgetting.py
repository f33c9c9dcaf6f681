"""What a replica leaves in the server when it has died: nothing, and at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.core.messages import Why
from headrace.executors.process import ProcessReplica
from headrace.memory.worker import WorkerMemory
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import Obedient


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """Do without the collector: in a server, whose objects are frozen, it comes by seldom."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("with_arena", [False, True], ids=["sent", "shared"])
def test_a_dead_replica_is_freed_without_the_collector(tmp_path: Path, *, with_arena: bool) -> None:
    async def die() -> weakref.ref[ProcessReplica]:
        memory = WorkerMemory() if with_arena else None
        arena = None if memory is None else memory.arena
        stage = Stage(lambda load, inbox: ProcessReplica(load, {}, inbox, arena), tmp_path)
        replica = await stage.load(Obedient)
        assert isinstance(replica, ProcessReplica)
        assert await stage.answer(stage.ask("echo", "x")) == ["x"]
        os.kill(replica.pid, signal.SIGKILL)
        assert (await stage.gone()).why is Why.KILLED
        await asyncio.sleep(0)  # the loop lets go of the callback that told it
        stage.replica = None
        if memory is not None:
            memory.close()
        return weakref.ref(replica)

    with no_collector():
        assert asyncio.run(die())() is None
