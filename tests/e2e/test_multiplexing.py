"""Many models per replica and batches anywhere, for real: processes, HTTP, kills, the end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.e2e.serving import PATIENCE_S, Program, ask, program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
HEADER = "X-Headrace-Model-Id"
LAYOUTS = ["Leaf", "Loop", "Threads", "Batches", "Plain"]


@contextlib.contextmanager
def started(target: str) -> Iterator[Program]:
    """Run a server of several processes, however long they take on a busy machine."""
    with program("-m", "headrace", "serve", target, "--port=0") as server:
        server.wait_for_line(" at http", within_s=4 * PATIENCE_S)
        yield server


@pytest.fixture(scope="module", params=LAYOUTS)
def server(request: pytest.FixtureRequest) -> Iterator[Program]:
    with started(f"many.py:{request.param}") as server:
        wait_for(lambda: states(server) == ["ready", "ready"], "both replicas to be ready")
        yield server


@pytest.fixture(scope="module")
def leaf() -> Iterator[Program]:
    with started("many.py:Leaf") as server:
        yield server


@pytest.fixture(scope="module")
def both() -> Iterator[Program]:
    with started("many.py:both") as server:
        yield server


def ask_for(server: Program, model: str, x: int = 0, path: str = "") -> dict[str, Any]:
    usual = "/" if "POST /  plain" in server.terminal else "/predict"
    response = ask(server, path or usual, x, headers={HEADER: model})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    assert told["model"] == model
    return told


def replicas(server: Program) -> list[dict[str, Any]]:
    told = httpx2.get(f"{server.url}/-/info", timeout=PATIENCE_S).json()
    (only,) = told["deployments"].values()
    found: list[dict[str, Any]] = only["replicas"]
    return found


def states(server: Program) -> list[str]:
    return [replica["state"] for replica in replicas(server)]


def story(server: Program, pids: set[int]) -> Counter[tuple[str, str, int]]:
    lines = re.findall(r"(up|down) (\S+) in (\d+)", server.terminal)
    return Counter((what, model, int(pid)) for what, model, pid in lines if int(pid) in pids)


def is_told(server: Program) -> bool:
    """Tell whether what was loaded and not torn down is what the server says is there."""
    there = {replica["pid"]: sorted(replica["models"]) for replica in replicas(server)}
    said = story(server, set(there))
    left = {pid: set[str]() for pid in there}
    for (what, model, pid), count in said.items():
        if what == "up" and count > said["down", model, pid]:
            left[pid].add(model)
    return there == {pid: sorted(models) for pid, models in left.items()}


def test_a_model_is_loaded_once_where_there_is_room_for_all(server: Program) -> None:
    asked = [ask_for(server, f"four-{n % 4}", n) for n in range(24)]
    homes = {(told["model"], told["pid"]) for told in asked}
    assert len(homes) == 4
    assert Counter(pid for _, pid in homes).most_common()[0][1] == 2
    wait_for(lambda: is_told(server), "the server to know what is there")
    said = story(server, {pid for _, pid in homes})
    assert sum(count for (what, _, _), count in said.items() if what == "up") == 4


def test_more_models_than_places_are_all_served_and_the_evicted_torn_down(server: Program) -> None:
    with ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(ask_for, server, f"m{n % 6}", n) for n in range(120)]
        asked = [job.result() for job in jobs]
    if "plain" not in server.terminal:
        assert [told["x"] for told in asked] == list(range(120))
    pids = {told["pid"] for told in asked}
    assert len(pids) == 2
    wait_for(lambda: is_told(server), "what was evicted to be torn down")
    assert all(len(replica["models"]) <= 2 for replica in replicas(server))
    loads = sum(n for (what, _, _), n in story(server, pids).items() if what == "up")
    assert loads < 120 / 2, "most went where their model was"


def test_a_killed_replicas_models_are_forgotten_and_served_elsewhere(leaf: Program) -> None:
    for model in ("k1", "k2", "k3", "k4"):
        ask_for(leaf, model)
    victim = next(each for each in replicas(leaf) if "k1" in each["models"])
    os.kill(victim["pid"], signal.SIGKILL)
    for _ in range(5):
        assert ask_for(leaf, "k1")["pid"] != victim["pid"]

    def replaced() -> bool:
        ready = [each["pid"] for each in replicas(leaf) if each["state"] == "ready"]
        return len(ready) == 2 and victim["pid"] not in ready

    wait_for(replaced, "another one in its place")
    assert victim["name"] not in [each["name"] for each in replicas(leaf)]
    assert sum("k1" in each["models"] for each in replicas(leaf)) == 1
    assert ask_for(leaf, "k2")["model"] == "k2"


def test_a_load_that_fails_fails_its_request_alone_and_is_tried_again(leaf: Program) -> None:
    ask_for(leaf, "good")
    for _ in range(2):
        failed = ask(leaf, "/predict", 1, headers={HEADER: "broken"})
        assert failed.status_code == 500
        assert failed.json()["code"] == "hook_failed"
    wait_for(lambda: leaf.terminal.count("no such weights") >= 2, "the reason in the log, twice")
    assert ask_for(leaf, "good")["model"] == "good"
    assert all("broken" not in each["models"] for each in replicas(leaf))


@pytest.mark.parametrize(
    ("headers", "code", "words"),
    [
        ({}, "no_model_id", "send the header X-Headrace-Model-Id"),
        ({HEADER: "x" * 257}, "bad_request", "at most 256 printable characters"),
    ],
)
def test_a_request_that_names_no_model_is_told_so(
    leaf: Program, headers: dict[str, str], code: str, words: str
) -> None:
    response = ask(leaf, "/predict", 1, headers=headers)
    assert response.status_code == 400
    assert response.json()["code"] == code
    assert words in response.json()["detail"]


def test_a_handle_asks_for_a_model_by_its_option(both: Program) -> None:
    told = ask(both, "/front", {"x": 7, "model": "by-handle"}).json()
    assert (told["model"], told["x"]) == ("by-handle", 7)
    assert ask_for(both, "by-handle", path="/loop")["pid"] == told["pid"]


def test_single_items_of_many_requests_share_a_batch_and_fail_alone(both: Program) -> None:
    with ThreadPoolExecutor(16) as pool:
        each = [pool.submit(ask, both, "/front", {"x": n - 1}) for n in range(64)]
        answers = [job.result() for job in each]
    assert answers[0].status_code == 500
    assert [answer.json()["x"] for answer in answers[1:]] == [2 * n for n in range(63)]
    assert max(answer.json()["most"] for answer in answers[1:]) > 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_at_the_end_every_model_is_torn_down(name: str) -> None:
    with started(f"many.py:{name}") as server:
        ask_for(server, "a")
        ask_for(server, "b")
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        lines = re.findall(r"(up|down) (\S+) in (\d+)", server.terminal)
    ups = Counter((model, pid) for what, model, pid in lines if what == "up")
    downs = Counter((model, pid) for what, model, pid in lines if what == "down")
    assert sum(ups.values()) == 2
    assert ups == downs
