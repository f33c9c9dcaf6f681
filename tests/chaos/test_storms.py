"""Replicas are killed and stopped at random: whoever stays gets an answer, and it is their own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from random import Random
from typing import Any

import httpx2
import pytest

from tests.chaos.storm import Leavers, Storm
from tests.e2e.load import Crowd
from tests.e2e.serving import Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

PATHS = ("/sturdy", "/batched")


def figures(server: Program, name: str) -> list[float]:
    """Return a metric's value for each deployment."""
    text = httpx2.get(f"{server.url}/-/metrics").text
    lines = [line for line in text.splitlines() if line.startswith(f"headrace_{name}{{")]
    assert lines
    return [float(line.rpartition(" ")[2]) for line in lines]


async def weather(server: Program, clients: int, seconds: float, seed: int) -> None:
    chance = Random(seed)
    stay, leave = clients * 9 // 10 // len(PATHS), max(1, clients // 10 // len(PATHS))
    crowds = [Crowd(server.port, path, stay) for path in PATHS]
    leavers = [Leavers(server.port, path, leave, chance) for path in PATHS]
    asking = [asyncio.create_task(crowd.ask_until_stopped()) for crowd in crowds]
    leaving = [asyncio.create_task(leaver.ask_and_leave()) for leaver in leavers]
    storm = Storm(server, chance)
    await storm.rage(seconds, every_s=0.5)
    for crowd, leaver in zip(crowds, leavers, strict=True):
        crowd.stop()
        leaver.stop()
    await asyncio.wait_for(asyncio.gather(*asking, *leaving), 30)
    for crowd in crowds:
        assert crowd.tally.is_clean, crowd.tally
        assert crowd.tally.total > 10 * stay
    assert all(leaver.left > 10 for leaver in leavers)
    assert storm.deeds["SIGKILL"] >= 2, storm.deeds
    assert storm.deeds["SIGSTOP"] >= 2, storm.deeds


def after_the_storm(server: Program) -> None:
    """Nothing is left of it: no request, no slot, no missing replica."""
    wait_for(lambda: not any(figures(server, "running_requests")), "every slot to be free")
    assert not any(figures(server, "queued_requests"))
    wait_for(lambda: status(server)["status"] == "ok", "every replica to be replaced", 35)
    assert "Traceback" not in server.terminal


@pytest.mark.timeout(90)
def test_a_short_storm_loses_and_mixes_up_nothing() -> None:
    with served("obedient.py") as server:
        asyncio.run(weather(server, clients=60, seconds=12, seed=1))
        after_the_storm(server)


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_a_minute_of_storm_with_five_hundred_clients() -> None:
    with served("obedient.py") as server:
        asyncio.run(weather(server, clients=500, seconds=60, seed=2))
        after_the_storm(server)


@pytest.mark.timeout(30)
def test_a_stopped_replica_costs_its_requests_their_time_and_goes_on() -> None:
    def pid() -> Any:
        return ask(server, "/predict", {"wish": "pid"}).json()

    with served("obedient.py:Sync") as server:
        stopped = pid()
        os.kill(stopped, signal.SIGSTOP)
        try:
            began = time.monotonic()
            late = ask(
                server,
                "/predict",
                {"wish": "echo"},
                headers={"X-Request-Timeout-Seconds": "0.5"},
            )
            assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
            assert 0.4 < time.monotonic() - began < 3
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert pid() == stopped
