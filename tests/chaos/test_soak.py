"""Many clients for a while: no error, no cross-talk, and memory stays where it is."""

from __future__ import annotations

import asyncio
import time

import psutil
import pytest

from tests.e2e.load import Crowd
from tests.e2e.serving import Program, served

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

MIB = 1 << 20


def memory_mib(server: Program) -> float:
    """Return what the server and its replicas hold for themselves.

    Not PSS: a shared page weighs more whenever a stranger who maps it too ends.
    """
    tree = [psutil.Process(server.process.pid), *server.children]
    return float(sum(process.memory_full_info().uss for process in tree)) / MIB


def slope(points: list[tuple[float, float]]) -> float:
    """Return the rise per unit of the straight line through the points (least squares)."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return rise / sum((x - mean_x) ** 2 for x, _ in points)


async def soak(server: Program, clients: int, seconds: float) -> list[tuple[float, float]]:
    """Ask both kinds of model all the time; return minutes and MiB, twice a second."""
    crowds = [Crowd(server.port, path, clients // 2) for path in ("/sturdy", "/batched")]
    asking = [asyncio.create_task(crowd.ask_for(seconds)) for crowd in crowds]
    points, began = [], time.monotonic()
    while not all(task.done() for task in asking):
        minutes = (time.monotonic() - began) / 60
        points.append((minutes, await asyncio.to_thread(memory_mib, server)))
        await asyncio.sleep(0.5)
    for tally in await asyncio.gather(*asking):
        assert tally.is_clean, tally
        assert tally.total > clients
        assert len(tally.pids) == 2
    return points


@pytest.mark.timeout(30)
def test_two_hundred_clients_for_five_seconds() -> None:
    with served("obedient.py") as server:
        asyncio.run(soak(server, clients=200, seconds=5))
        assert "Traceback" not in server.terminal


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_five_hundred_clients_for_a_minute() -> None:
    with served("obedient.py") as server:
        points = asyncio.run(soak(server, clients=500, seconds=60))
        assert "Traceback" not in server.terminal
    settled = [(minutes, mib) for minutes, mib in points if minutes > 10 / 60]
    assert slope(settled) < 1, f"memory rises by {slope(settled):.2f} MiB a minute: {settled}"
