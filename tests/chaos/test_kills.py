"""Replicas die under load: nothing is lost, nothing is mixed up, and only the guilty pay."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.load import Crowd
from tests.e2e.serving import Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.chaos, pytest.mark.timeout(30)]


def pids(server: Program, name: str) -> list[int]:
    """Return the replicas that take requests."""
    copies = status(server)["deployments"][name]["replicas"]
    return [copy["pid"] for copy in copies if copy["state"] == "ready"]


@pytest.mark.parametrize("name", ["sturdy", "batched"])
def test_replicas_killed_under_load_lose_no_request(name: str) -> None:
    async def load(server: Program) -> Crowd:
        crowd = Crowd(server.port, f"/{name}", clients=30)
        asking = asyncio.create_task(crowd.ask_until_stopped())
        killed: list[int] = []
        for _ in range(3):
            await crowd.answered(300)
            victim = min(pids(server, name))
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
            await wait_async(lambda: len(set(pids(server, name)) - set(killed)) == 2)
        await crowd.answered(300)
        crowd.stop()
        await asyncio.wait_for(asking, 5)
        return crowd

    with served("obedient.py") as server:
        crowd = asyncio.run(load(server))
        assert crowd.tally.is_clean, crowd.tally
        assert len(crowd.tally.pids) >= 4
        server.wait_for_line("was ended by SIGKILL")


async def wait_async(true: Any) -> None:
    await asyncio.to_thread(wait_for, true, "two replicas to be ready")


def test_one_poisoned_request_fails_alone() -> None:
    async def load(server: Program) -> tuple[Crowd, Any]:
        crowd = Crowd(server.port, "/batched", clients=30)
        asking = asyncio.create_task(crowd.ask_until_stopped())
        await crowd.answered(200)
        poison = await asyncio.to_thread(ask, server, "/batched", {"nonce": "poison", "die": True})
        await crowd.answered(200)
        crowd.stop()
        await asyncio.wait_for(asking, 10)
        return crowd, poison

    with served("obedient.py") as server:
        crowd, poison = asyncio.run(load(server))
        assert crowd.tally.is_clean, crowd.tally
        assert (poison.status_code, poison.json()["code"]) == (500, "replica_lost")
        wait_for(lambda: len(pids(server, "batched")) == 2, "every replica to be replaced")


def test_only_the_request_that_a_deathly_replica_ran_is_run_again() -> None:
    with served("obedient.py:Sync") as server:
        before = ask(server, "/predict", {"wish": "pid"}).json()
        answer = ask(server, "/predict", {"wish": "die", "value": signal.SIGKILL})
        assert (answer.status_code, answer.json()["code"]) == (500, "replica_lost")
        wait_for(lambda: pids(server, "sync"), "a new replica")
        assert ask(server, "/predict", {"wish": "pid"}).json() != before


def test_a_new_replica_gets_the_device_of_the_dead_one() -> None:
    def places() -> dict[str, int]:
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda _: ask(server, "/predict", 1).json(), range(8))
            return {answer["gpu"]: answer["pid"] for answer in answers}

    with served("placed.py", env={"CUDA_VISIBLE_DEVICES": "0,1"}) as server:
        before = places()
        assert set(before) == {"0", "1"}
        os.kill(before["1"], signal.SIGKILL)
        wait_for(lambda: before["1"] not in pids(server, "placed"), "the death to be noticed")
        wait_for(lambda: len(pids(server, "placed")) == 2, "every replica to be replaced")
        wait_for(lambda: set(places()) == {"0", "1"}, "both devices to be in use", 3)
