"""A replica in the midst of a graph dies every second: whoever asks the graph never hears of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time

import pytest

from headrace.core.replicas import LONGEST_DELAY_S
from tests.e2e.load import Crowd
from tests.e2e.serving import PATIENCE_S, Program, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

CONNECTIONS = 64
LONGEST_REST_S = 1.25 * LONGEST_DELAY_S + PATIENCE_S
"""The server waits longer each time before it starts what fell soon after its start."""


def ready(server: Program) -> list[int]:
    """Return the replicas in the middle that take requests."""
    copies = status(server)["deployments"]["middle"]["replicas"]
    return [copy["pid"] for copy in copies if copy["state"] == "ready"]


def kill_the_eldest(server: Program, dead: set[int]) -> None:
    """Wait until there is one that is ready; kill the one who has been there longest."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = [pid for pid in ready(server) if pid not in dead]
        return bool(found)

    wait_for(is_there, "a replica to kill", LONGEST_REST_S)
    os.kill(found[0], signal.SIGKILL)
    dead.add(found[0])


async def killed_each_second(server: Program, kills: int) -> Crowd:
    """Ask all the time; kill one of those in the middle each second, while it has work."""
    crowd = Crowd(server.port, "/predict", CONNECTIONS)
    asking = asyncio.create_task(crowd.ask_until_stopped())
    began, dead = time.monotonic(), set[int]()
    for second in itertools.count(1):
        await crowd.answered(CONNECTIONS, within_s=LONGEST_REST_S)
        await asyncio.to_thread(kill_the_eldest, server, dead)
        if len(dead) == kills:
            break
        await asyncio.sleep(max(0.0, began + second - time.monotonic()))
    await crowd.answered(CONNECTIONS, within_s=LONGEST_REST_S)
    crowd.stop()
    await asyncio.wait_for(asking, LONGEST_REST_S)
    return crowd


def nothing_is_lost(target: str, kills: int, *, replicas: int) -> None:
    with served(f"staged.py:{target}", "--set", f"middle.replicas={replicas}") as server:
        crowd = asyncio.run(killed_each_second(server, kills))
        assert crowd.tally.is_clean, crowd.tally
        assert len(crowd.tally.pids) >= min(kills, 3), "those killed, and those who came for them"
        assert server.terminal.count("was ended by SIGKILL") == kills

        def is_idle() -> bool:
            each = status(server)["deployments"].values()
            copies = [copy for told in each for copy in told["replicas"]]
            return not any([told["queued"] for told in each] + [copy["running"] for copy in copies])

        wait_for(is_idle, "the last child of a dead parent to end")


@pytest.mark.timeout(90)
@pytest.mark.parametrize("target", ["awaits", "waits"])
def test_a_middle_killed_each_second_for_five_loses_no_request(target: str) -> None:
    nothing_is_lost(target, kills=5, replicas=2)


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("target", ["awaits", "waits"])
def test_a_middle_killed_each_second_for_a_minute_loses_no_request(target: str) -> None:
    nothing_is_lost(target, kills=60, replicas=12)  # so that each has lived for ten seconds
