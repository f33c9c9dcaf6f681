"""A request that kills its replica fails alone; a replica that cannot stay up harms nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.load import Crowd
from tests.e2e.serving import Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

POISON = {"nonce": "poison", "poison": True}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    with served("poison.py", env={"HAS_CRASHED": str(tmp_path / "has-crashed")}) as server:
        yield server


def deployment(server: Program, name: str) -> dict[str, Any]:
    told: dict[str, Any] = status(server)["deployments"][name]
    return told


def ended_by(server: Program, signal: str, name: str) -> int:
    return sum(signal in line and f"{name}/" in line for line in server.lines)


@pytest.mark.parametrize("name", ["single", "batch"])
def test_one_request_among_a_thousand_kills_two_replicas_and_fails_alone(
    server: Program, name: str
) -> None:
    async def load() -> tuple[Crowd, Any]:
        crowd = Crowd(server.port, f"/{name}", clients=30)
        asking = asyncio.create_task(crowd.ask_until_stopped())
        await crowd.answered(300)
        poison = await asyncio.to_thread(ask, server, f"/{name}", POISON)
        await crowd.answered(700)
        crowd.stop()
        await asyncio.wait_for(asking, 10)
        return crowd, poison

    crowd, poison = asyncio.run(load())
    assert crowd.tally.is_clean, crowd.tally
    assert crowd.tally.total >= 1000
    assert (poison.status_code, poison.json()["code"]) == (500, "replica_lost")
    server.wait_for_line("request " + poison.headers["x-request-id"])
    wait_for(lambda: deployment(server, name)["state"] == "ok", "every replica to be replaced")
    assert ended_by(server, "SIGSEGV", name) == 2
    copies = [copy["name"] for copy in deployment(server, name)["replicas"]]
    assert max(int(copy.rpartition("/")[2]) for copy in copies) == 4, "two lost, two started"


def test_a_setup_that_fails_after_a_crash_is_tried_again_and_again_but_not_in_haste(
    server: Program,
) -> None:
    wait_for(lambda: deployment(server, "brittle")["state"] == "ok", "both to be set up")
    assert ask(server, "/brittle", POISON).status_code == 500
    began = time.monotonic()
    wait_for(lambda: deployment(server, "brittle")["state"] in ("degraded", "down"), "the loss")
    assert status(server)["status"] in ("degraded", "down")
    wait_for(lambda: ended_by(server, "broken by the crash", "brittle") >= 2, "two vain setups")
    seconds = time.monotonic() - began
    tries = ended_by(server, "broken by the crash", "brittle")
    assert tries <= 2 + 2 * seconds / 0.375, "the first delay is 0.5 s, less a quarter"
    assert deployment(server, "brittle")["state"] in ("degraded", "down")
    others_are_well(server)


def test_a_model_that_crashes_at_every_request_harms_no_other(server: Program) -> None:
    failure = ask(server, "/deadly", {"any": "thing"})
    assert (failure.status_code, failure.json()["code"]) == (500, "replica_lost")
    wait_for(lambda: deployment(server, "deadly")["state"] == "down", "the loss to be told")
    assert status(server)["status"] in ("degraded", "down")
    others_are_well(server)
    assert ended_by(server, "SIGSEGV", "deadly") == 2, "it was tried twice"
    assert ask(server, "/deadly", {"any": "thing"}).status_code == 500, "and came back"


def others_are_well(server: Program) -> None:
    for n in range(20):
        assert ask(server, "/single", {"nonce": n}).json()["predicted"] == n
    assert deployment(server, "single")["state"] == "ok"
    assert ended_by(server, "SIGSEGV", "single") == 0
