"""Calls of a sync model that asks for it run side by side; who is left is told of it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import headrace as hr
from headrace.executors.process import ProcessReplica
from headrace.model.envelope import Fault
from headrace.model.served import describe
from headrace.testing.conformance.stage import Check, Stage

THREADS = 3


@hr.deployment(max_ongoing_requests=THREADS)
class Together(hr.Model):
    def setup(self) -> None:
        self.barrier = threading.Barrier(THREADS, timeout=5.0)

    def predict(self, wish: str, value: Any = None, context: hr.Context | None = None) -> Any:
        if wish == "meet":
            self.barrier.wait()
            return hr.current_context().request_id
        if wish == "on_main":
            return threading.current_thread() is threading.main_thread()
        if wish == "fail":
            raise ValueError(value)
        return self.wait_until(context, value)

    def wait_until(self, context: hr.Context | None, path: str) -> str:
        """Wait until nobody waits, then until a file is there."""
        Path(f"{path}.begun").touch()
        assert context is not None
        while not context.cancelled:
            time.sleep(0.005)
        Path(f"{path}.noticed").touch()
        while not Path(f"{path}.go").exists():
            time.sleep(0.005)
        return "too late"


@hr.deployment(max_ongoing_requests=2, max_batch_size=2)
class TogetherInBatches(hr.Model):
    def predict_batch(self, paths: list[str], contexts: list[hr.Context]) -> list[str]:
        Path(f"{paths[0]}.begun").touch()
        end = time.monotonic() + 5.0
        while not all(context.cancelled for context in contexts) and time.monotonic() < end:
            time.sleep(0.005)
        Path(f"{paths[0]}.noticed").touch()
        return paths


def play(check: Check, folder: Path) -> None:
    async def run() -> None:
        stage = Stage(lambda load, inbox: ProcessReplica(load, {}, inbox), folder)
        try:
            await check(stage)
        finally:
            await stage.close()
        assert not stage.ledger.broken

    asyncio.run(run())


def test_the_engine_fills_as_many_slots_as_there_are_threads() -> None:
    assert describe(Together).slots == THREADS
    assert describe(TogetherInBatches).slots == 2


def test_calls_of_a_sync_model_run_side_by_side_off_the_main_thread(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        await stage.load(Together)
        serials = [stage.ask("meet") for _ in range(THREADS)]
        assert [await stage.answer(serial) for serial in serials] == [["check"]] * THREADS
        assert await stage.answer(stage.ask("on_main")) == [False]
        (fault,) = await stage.answer(stage.ask("fail", "secret"))
        assert isinstance(fault, Fault)

    play(check, tmp_path)


def test_who_is_left_is_told_and_owns_its_slot_until_it_is_back(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        replica = await stage.load(Together)
        serial = stage.ask("wait", str(stage.mark))
        await stage.marked(".begun")
        replica.stop(serial, 0)
        replica.flush()
        await stage.marked(".noticed")
        assert await stage.answer(stage.ask("on_main")) == [False], "others go on"
        assert serial not in stage.ledger.answers
        stage.mark.with_name(f"{stage.mark.name}.go").touch()
        (fault,) = await stage.answer(serial)
        assert isinstance(fault, Fault)
        assert fault.status == 499

    play(check, tmp_path)


def test_a_batch_is_told_once_all_of_it_is_left(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        replica = await stage.load(TogetherInBatches)
        serial = stage.send_now(str(stage.mark), "other")
        await stage.marked(".begun")
        replica.stop(serial, 0)
        replica.flush()
        assert not stage.mark.with_name(f"{stage.mark.name}.noticed").exists()
        replica.stop(serial, 1)
        replica.flush()
        await stage.marked(".noticed")
        await stage.answer(serial)

    play(check, tmp_path)


def test_an_eviction_waits_for_the_threads(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        replica = await stage.load(Together)
        serials = [stage.ask("meet") for _ in range(THREADS)]
        replica.evict()
        await stage.gone()
        assert sorted(stage.ledger.answers) == serials

    play(check, tmp_path)
