"""Every kind of hook in one storm: whoever stays is answered, in order, alone and once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from random import Random

import psutil
import pytest
import uvloop

from tests.chaos.aftermath import Aftermath, check_answers, check_counts, check_starts, figures
from tests.chaos.reaper import Reaper
from tests.chaos.telling import WAYS
from tests.chaos.visitors import Visitors
from tests.e2e.serving import Program, is_alive, program, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

MIB = 1 << 20
REPLICAS = 2
STARTED_WITHIN_S = 60.0
BACK_WITHIN_S = 35.0  # the longest a restart is put off
LAST_ANSWERS_S = 60.0


async def storm(server: Program, clients: int, seconds: float, seed: int) -> Aftermath:
    """Let them ask while replicas die; return when each has its last answer."""
    visitors, reaper = Visitors(server.port, clients, seed), Reaper(server.port, Random(seed))
    after = Aftermath(visitors.log, reaper)
    visiting = asyncio.create_task(visitors.visit())
    weighing = asyncio.create_task(weigh(server, after.memory_mib))
    await reaper.reap(seconds)
    visitors.stop()
    await asyncio.wait_for(visiting, LAST_ANSWERS_S)
    weighing.cancel()
    with suppress(asyncio.CancelledError):
        await weighing
    return after


async def weigh(server: Program, memory_mib: list[float]) -> None:
    """Note what the server itself holds, once a second."""
    processes = keepers(server)
    while True:
        uss = sum(process.memory_full_info().uss for process in processes)
        memory_mib.append(round(uss / MIB, 1))
        await asyncio.sleep(1)


def keepers(server: Program) -> list[psutil.Process]:
    """Return the processes of the server that are no replicas: none of them dies in a storm."""
    others = [child for child in server.children if "headrace.replica" not in child.cmdline()]
    return [psutil.Process(server.process.pid), *others]


def holds(server: Program) -> tuple[int, int]:
    """Count the processes of the server, and the open files of those that are no replicas."""
    try:
        return len(server.children), sum(process.num_fds() for process in keepers(server))
    except psutil.NoSuchProcess:  # it ended while we looked
        return 0, 0


def none_of(server: Program, gauge: str) -> bool:
    return not any(figures(server, gauge).values())


def check_peace(server: Program, before: tuple[int, int]) -> None:
    """Nothing is left of the storm: no request, no process, no open file, no missing replica."""
    for gauge in ("running_requests", "queued_requests", "streams_open"):
        wait_for(partial(none_of, server, gauge), f"no {gauge}")
    wait_for(lambda: status(server)["status"] == "ok", "every replica to be back", BACK_WITHIN_S)
    wait_for(lambda: holds(server) == before, f"{before} children and files again")
    assert "Traceback" not in server.terminal, server.terminal[-5000:]


@contextmanager
def stormy() -> Iterator[Program]:
    """Serve every kind; that many processes take their time on a busy machine."""
    with program("-m", "headrace", "serve", "every_hook.py", "--port=0") as server:
        server.wait_for_line(" at http", STARTED_WITHIN_S)
        yield server


def rage(clients: int, seconds: float, seed: int) -> Aftermath:
    """Serve through a storm, and check all that must hold afterwards."""
    with stormy() as server:
        before = holds(server)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # cheap clients
            after = runner.run(storm(server, clients, seconds, seed))
        print(after)  # its figures, where the test fails and with -s
        check_answers(after)
        check_peace(server, before)
        check_counts(server, after)
        check_starts(server, after, REPLICAS)
        pids = after.log.pids | {child.pid for child in server.children}
    assert not [pid for pid in pids if is_alive(pid) and os.getpgid(pid) == pid]
    return after


@pytest.mark.timeout(180)
def test_every_kind_of_hook_in_a_short_storm() -> None:
    after = rage(clients=60, seconds=8, seed=1)
    assert len(after.reaper.kills) >= 6


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_every_kind_of_hook_with_five_hundred_clients_and_sixty_kills() -> None:
    after = rage(clients=500, seconds=60, seed=2)
    assert len(after.reaper.kills) >= 60
    assert {after.reaper.by_deployment[way.name] > 1 for way in WAYS} == {True}
    settled = after.memory_mib[len(after.memory_mib) // 2 :]
    assert max(settled[-5:]) - min(settled[:5]) < 6, "the server grows"
