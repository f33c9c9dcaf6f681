"""A stop meets its own call or none; and a replica whose signal is somebody else's works on."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import headrace as hr
from headrace.executors.process import ProcessReplica
from headrace.model.envelope import Fault
from headrace.replica.stopping import STOP
from headrace.testing.conformance.interrupts import Careful, contest
from headrace.testing.conformance.stage import Check, Stage

ROUNDS = 4000


class HasItsOwnHandler(hr.Model):
    """A program that uses the very signal we use."""

    def setup(self) -> None:
        self.heard = 0
        signal.signal(STOP, self.hear)

    def hear(self, *_: object) -> None:
        self.heard += 1

    def predict(self, path: str) -> int:
        Path(path).touch()
        end = time.monotonic() + 5.0
        while not self.heard and time.monotonic() < end:
            pass
        return self.heard


class StopsItself(hr.Model):
    def setup(self) -> None:
        signal.raise_signal(STOP)

    def predict(self, wish: str) -> Any:
        if wish == "cancel":
            raise hr.Cancelled
        if wish == "signal":
            signal.raise_signal(STOP)
        return wish


def play(check: Check, folder: Path) -> None:
    """Let a check play with a process, which is ended whatever becomes of it."""

    async def run() -> None:
        stage = Stage(lambda load, inbox: ProcessReplica(load, {}, inbox), folder)
        try:
            await check(stage)
        finally:
            await stage.close()
        assert not stage.ledger.broken

    asyncio.run(run())


@pytest.mark.timeout(60)
def test_no_wrong_call_is_ever_hit(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        await stage.load(Careful)
        met, missed = await contest(stage, ROUNDS)
        assert min(met, missed) > ROUNDS // 20, f"{met} met, {missed} missed: no contest"

    play(check, tmp_path)


def test_a_signal_that_is_the_programs_own_breaks_nothing(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        replica = await stage.load(HasItsOwnHandler)
        serial = stage.send_now(str(stage.mark))
        await stage.marked()
        replica.interrupt(serial)
        assert await stage.answer(serial) == [1]

    play(check, tmp_path)


def test_a_signal_or_an_exception_of_the_users_own_is_no_stop(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        await stage.load(StopsItself)
        assert await stage.answer(stage.send_now("signal")) == ["signal"]
        (fault,) = await stage.answer(stage.send_now("cancel"))
        assert isinstance(fault, Fault)
        assert fault.code == "hook_failed"
        assert await stage.answer(stage.send_now("on")) == ["on"]

    play(check, tmp_path)
