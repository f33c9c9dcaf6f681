"""However a server ends: requests under way are answered, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.load import Crowd
from tests.e2e.serving import Program, ask, can_bind, is_alive, program, served, status, wait_for
from tests.e2e.test_requests import post_raw

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(30)]


def assert_nothing_is_left(server: Program, port: int, pids: list[int], within_s: float) -> None:
    wait_for(lambda: not any(map(is_alive, pids)), "the end of every process", within_s)
    wait_for(lambda: can_bind(port), "the port to be free", within_s)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_answers_what_is_under_way(number: int, tmp_path: Path) -> None:
    marks = [tmp_path / "a", tmp_path / "b"]
    with served("obedient.py") as server, ThreadPoolExecutor(4) as pool:
        pids, port = [child.pid for child in server.children], server.port
        sleeping = pool.submit(ask, server, "/sync", {"wish": "sleep", "value": 1.0})
        wait_for(lambda: _under_way(server) == 1, "the replica to be busy")
        behind = pool.submit(ask, server, "/sync", {"wish": "mark", "value": str(marks[0])})
        napping = pool.submit(ask, server, "/async", {"wish": "nap", "value": 1.0})
        wait_for(lambda: _under_way(server) == 3, "three requests under way")
        server.signal(number)
        for answer in (sleeping.result(), behind.result(), napping.result()):
            assert answer.status_code == 200
        assert server.exit_code() == 0
        assert_nothing_is_left(server, port, pids, 0.5)
    assert "Traceback" not in server.terminal
    assert marks[0].read_text() == "x"


def _under_way(server: Program) -> int:
    told = status(server)["deployments"].values()
    return sum(each["queued"] + sum(copy["running"] for copy in each["replicas"]) for each in told)


def test_a_stopping_server_refuses_what_is_new(tmp_path: Path) -> None:
    with served("obedient.py") as server, ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(ask, server, "/sync", {"wish": "sleep", "value": 1.0})
        wait_for(lambda: _under_way(server) == 1, "a request under way")
        server.signal(signal.SIGTERM)
        wait_for(lambda: status(server)["status"] == "draining", "the server to drain", 1)
        answer = ask(server, "/async", {"wish": "echo"})
        assert (answer.status_code, answer.json()["code"]) == (503, "draining")
        assert "retry-after" in answer.headers
        assert sleeping.result().status_code == 200
        assert server.exit_code() == 0


def test_a_stop_under_load_breaks_no_request_under_way() -> None:
    async def load(server: Program) -> Crowd:
        crowd = Crowd(server.port, "/sturdy", clients=20)
        asking = asyncio.create_task(crowd.ask_until_stopped())
        await crowd.answered(200)
        server.signal(signal.SIGTERM)
        await asyncio.wait_for(asking, 10)
        return crowd

    with served("obedient.py") as server:
        crowd = asyncio.run(load(server))
        assert server.exit_code() == 0
    assert not crowd.tally.mixed_up
    assert set(crowd.tally.statuses) <= {200, 503}


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with served("obedient.py") as server:
        pids, port = [child.pid for child in server.children], server.port
        with post_raw(server, "/async", {"wish": "wait", "value": str(mark)}) as sock:
            wait_for(Path(f"{mark}.begun").exists, "the work to begin")
            server.signal(signal.SIGTERM)
            wait_for(lambda: status(server)["status"] == "draining", "the server to drain", 2)
            server.signal(signal.SIGTERM)
            assert b" 503 " in sock.recv(1000)
        assert server.exit_code(3) == 0
        assert_nothing_is_left(server, port, pids, 0.5)


def test_a_stop_does_not_wait_for_ever_for_a_c_call(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with served("obedient.py:Sync", "--graceful-timeout-s=0.5") as server:
        pids, port = [child.pid for child in server.children], server.port
        wish = {"wish": "mark_and_sit_in_c", "value": str(mark)}
        with post_raw(server, "/predict", wish) as sock:
            wait_for(mark.exists, "the replica to be busy")
            server.signal(signal.SIGTERM)
            assert b" 503 " in sock.recv(1000)
        assert server.exit_code(8) == 0
        assert_nothing_is_left(server, port, pids, 0.5)


@pytest.mark.parametrize("wish", ["mark_and_sleep", "mark_and_sit_in_c"])
def test_kill_9_leaves_nothing_behind(wish: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with served("obedient.py") as server:
        pids, port = [child.pid for child in server.children], server.port
        assert len(pids) == 8  # a worker and seven replicas
        with post_raw(server, "/sync", {"wish": wish, "value": str(mark)}):
            wait_for(mark.exists, "a replica to be busy")
            server.signal(signal.SIGKILL)
            assert server.exit_code() == -signal.SIGKILL
            assert_nothing_is_left(server, port, pids, 1.0)


def test_a_stopped_servers_port_serves_again_at_once() -> None:
    with served("hello.py") as first:
        port = first.port
        assert ask(first, "/predict", "a").status_code == 200
        first.signal(signal.SIGTERM)
        assert first.exit_code() == 0
        with served("hello.py", port=port) as second:
            assert ask(second, "/predict", "b").json() == "Hello, b!"


def test_ctrl_c_reaches_a_whole_terminal_group() -> None:
    with program("guarded.py") as server:
        server.wait_until_serving()
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.exit_code() == 0
    assert "Traceback" not in server.terminal
    assert "returned" in server.lines
