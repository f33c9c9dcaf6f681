"""A client that leaves frees what it held, also in sync code, and takes no service down."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.serving import Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

FREE_WITHIN_S = 0.5
SLACK_S = 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    """One server of all the models; each test leaves it as it was."""
    with served("leaving.py") as started:
        yield started


def post_raw(server: Program, path: str, body: Any, *headers: str) -> socket.socket:
    """Send a request and do not wait for its answer; closing the socket is leaving."""
    content = json.dumps(body).encode()
    sock = socket.create_connection(("127.0.0.1", server.port))
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(content)}", *headers]
    head = "\r\n".join([*lines, "Content-Type: application/json", "", ""])
    sock.sendall(head.encode() + content)
    return sock


def pid(server: Program, path: str) -> int:
    answer = ask(server, path, "pid" if path == "/batched" else {"wish": "pid"})
    assert answer.status_code == 200, answer.text
    return int(answer.json())


def replicas(server: Program, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = status(server)["deployments"][name]["replicas"]
    return found


def load_s(server: Program, name: str) -> float:
    """How long a replica takes to load, seen from outside: its next one's time."""
    began = time.monotonic()
    wait_for(lambda: [r["state"] for r in replicas(server, name)] == ["ready"], f"{name} to load")
    return time.monotonic() - began


def begun(mark: Path) -> bool:
    return Path(f"{mark}.begun").exists()


@pytest.mark.parametrize("wish", ["sleep", "loop", "stubborn", "in_libc"])
def test_who_leaves_a_sync_hook_frees_its_replica_for_the_next(
    server: Program, tmp_path: Path, wish: str
) -> None:
    mark = tmp_path / "mark"
    before = pid(server, "/plain")
    with ThreadPoolExecutor(1) as pool:
        with post_raw(server, "/plain", {"wish": wish, "value": str(mark)}):
            wait_for(lambda: begun(mark), "the work to begin")
            neighbour = pool.submit(pid, server, "/plain")
            wait_for(lambda: status(server)["deployments"]["plain"]["queued"], "its neighbour")
            left_at = time.monotonic()
        assert neighbour.result(10) == before, "the replica itself answered"
        assert time.monotonic() - left_at < FREE_WITHIN_S
    if wish == "sleep":
        assert Path(f"{mark}.ended").exists(), "its `finally` ran"


def test_a_deadline_frees_the_replica_too(server: Program, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    before = pid(server, "/plain")
    limit = {"X-Request-Timeout-Seconds": "0.3"}
    answer = ask(server, "/plain", {"wish": "loop", "value": str(mark)}, headers=limit)
    late_at = time.monotonic()
    assert answer.status_code == 504
    assert pid(server, "/plain") == before
    assert time.monotonic() - late_at < FREE_WITHIN_S


def test_what_leaves_is_counted_499(server: Program, tmp_path: Path) -> None:
    def counted() -> float:
        name = 'headrace_requests_total{deployment="plain",status="499"} '
        lines = httpx2.get(server.url + "/-/metrics").text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = counted()
    mark = tmp_path / "mark"
    with post_raw(server, "/plain", {"wish": "stubborn", "value": str(mark)}):
        wait_for(lambda: begun(mark), "the work to begin")
    wait_for(lambda: counted() == before + 1, "one more 499")


def test_a_batch_goes_on_until_the_last_of_its_clients_left(
    server: Program, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    before = pid(server, "/batched")
    with ThreadPoolExecutor(1) as pool:
        with post_raw(server, "/batched", str(two)):
            with post_raw(server, "/batched", str(one)):
                wait_for(lambda: begun(one) and begun(two), "the batch to begin")
            neighbour = pool.submit(pid, server, "/batched")
            wait_for(lambda: status(server)["deployments"]["batched"]["queued"], "its neighbour")
            assert replicas(server, "batched")[0]["running"] == 2, "one of them still waits"
            left_at = time.monotonic()
        assert neighbour.result(10) == before
        assert time.monotonic() - left_at < FREE_WITHIN_S


@pytest.mark.parametrize("wish", ["in_c", "in_c_with_the_gil"])
def test_a_c_call_that_nobody_waits_for_costs_its_replica_and_no_more(
    tmp_path: Path, wish: str
) -> None:
    mark = tmp_path / "mark"
    with served("leaving.py:Hasty") as server:
        before = pid(server, "/predict")
        with post_raw(server, "/predict", {"wish": wish, "value": str(mark)}):
            wait_for(lambda: begun(mark), "the work to begin")
            neighbour = threading.Thread(target=pid, args=(server, "/predict"))
            neighbour.start()
            wait_for(lambda: status(server)["deployments"]["hasty"]["queued"], "its neighbour")
            left_at = time.monotonic()
        wait_for(lambda: replicas(server, "hasty")[0]["pid"] != before, "another replica")
        waited_s = time.monotonic() - left_at
        loading_s = load_s(server, "hasty")
        assert 0.5 <= waited_s < max(0.5, loading_s) + SLACK_S
        neighbour.join(10)
        assert not neighbour.is_alive(), "who waited behind it is answered"
        assert pid(server, "/predict") != before
        server.wait_for_line(f"in {wish}")
        assert server.wait_for_line("nobody waits for").startswith("[hasty/1] ")


def test_a_replica_that_somebody_needs_is_replaced_when_they_are_served(tmp_path: Path) -> None:
    hangs, naps = tmp_path / "hangs", tmp_path / "naps"
    with served("leaving.py:Threads") as server, ThreadPoolExecutor(2) as pool:
        before = pid(server, "/predict")
        wish = {"wish": "nap", "value": str(naps)}
        napping = pool.submit(ask, server, "/predict", wish)
        with post_raw(server, "/predict", {"wish": "in_c", "value": str(hangs)}):
            wait_for(lambda: begun(hangs) and begun(naps), "both to begin")
        wait_for(lambda: replicas(server, "threads")[0]["state"] == "quitting", "it to quit")
        waiting = pool.submit(pid, server, "/predict")
        wait_for(lambda: status(server)["deployments"]["threads"]["queued"], "the next one")
        Path(f"{naps}.go").touch()
        assert napping.result(10).json() == before, "who was with it is served"
        assert waiting.result(10) != before, "who came later is served elsewhere"


def test_leaving_again_and_again_takes_no_service_down(tmp_path: Path) -> None:
    marks = [tmp_path / str(number) for number in range(4)]
    with served("leaving.py:Pair") as server:
        least, over = [2], threading.Event()

        def watch() -> None:
            while not over.is_set():
                there = [each for each in replicas(server, "pair") if each["state"] != "loading"]
                least.append(len({each["pid"] for each in there if each["state"] != "doomed"}))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            first = {each["name"] for each in replicas(server, "pair")}
            for mark in marks:
                with post_raw(server, "/predict", {"wish": "in_c", "value": str(mark)}):
                    wait_for(lambda mark=mark: begun(mark), "the work to begin")  # type: ignore[misc]
            wait_for(lambda: not first & names_ready(server), "both to be replaced", 20)
            wait_for(lambda: len(names_ready(server)) == 2, "both to be there again", 20)
        finally:
            over.set()
            watcher.join()
        assert min(least) == 1, "one at a time was away"


def names_ready(server: Program) -> set[str]:
    return {each["name"] for each in replicas(server, "pair") if each["state"] == "ready"}


def test_what_may_not_be_interrupted_runs_to_its_end(server: Program, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    before = pid(server, "/calm")
    with post_raw(server, "/calm", {"wish": "nap", "value": str(mark)}):
        wait_for(lambda: begun(mark), "the work to begin")
        left_at = time.monotonic()
    assert pid(server, "/calm") == before
    assert time.monotonic() - left_at > FREE_WITHIN_S
    assert not Path(f"{mark}.ended").exists()


def test_a_shutdown_ends_what_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with (
        served("leaving.py:Plain", "--graceful-timeout-s", "0.2") as server,
        post_raw(server, "/predict", {"wish": "sleep", "value": str(mark)}),
    ):
        wait_for(lambda: begun(mark), "the work to begin")
        server.signal(15)
        assert server.exit_code() == 0
        assert Path(f"{mark}.ended").exists(), "its `finally` ran"
