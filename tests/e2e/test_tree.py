"""The tree of processes: whoever falls, reloads or stops, clients notice nothing they need not."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.serving import Program, can_bind, is_alive, wait_for
from tests.e2e.trees import Load, get, launched, tree, version, workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def reload(server: Program, nth: int) -> None:
    """Ask for a reload and wait for its end."""
    server.signal(signal.SIGHUP)
    done = ("reload: the new code serves", "reload failed")
    wait_for(
        lambda: sum(any(word in line for word in done) for line in server.lines) >= nth,
        f"the end of reload {nth}: {server.terminal}",
        20,
    )


@pytest.mark.wrk
@pytest.mark.timeout(240)  # each reload starts two interpreters, beside wrk
@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_reloads_under_load_lose_nothing_and_a_broken_one_changes_nothing(
    times: int, tmp_path: Path
) -> None:
    file = tmp_path / "version"
    file.write_text("v0")
    with tree(env={"VERSION": str(file)}, workers=2) as server:
        load = Load(server, 200)
        try:
            for nth in range(1, times + 1):
                file.write_text(f"v{nth}")
                reload(server, nth)
                assert version(server) == f"v{nth}"
            file.write_text("broken")
            reload(server, times + 1)
            assert version(server) == f"v{times}"
            assert load.goes_on, "the load ended before the reloads did"
        finally:
            load.process.send_signal(signal.SIGINT)
            errors = load.errors()
        assert errors == ""
        assert "ValueError: this version is broken" in server.terminal
        wait_for(lambda: len(workers(server)) == 2, "the old workers to be gone")
        server.signal(signal.SIGTERM)
        assert server.exit_code(20) == 0
    assert server.terminal.count("released") == 2 * (times + 1)  # each of them, and none twice
    assert "SIGKILL" not in server.terminal


@pytest.mark.wrk
def test_a_killed_worker_is_back_within_a_second_and_nobody_is_refused() -> None:
    with tree(workers=2) as server:
        load = Load(server, 4)
        before = workers(server)
        victim = next(iter(before))
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)

        def replaced() -> bool:
            now = workers(server)
            return victim not in now and len(now) == 2

        wait_for(replaced, "another worker", 1.0)
        said = load.end()
        newest = (set(workers(server)) - set(before)).pop()
        wait_for(lambda: str(newest) in get(server).text, "the new worker to answer")
        assert time.monotonic() - killed < 10
    assert "connect 0" in said or "Socket errors" not in said, said
    assert "Non-2xx" not in said


def test_kill_9_of_the_arbiter_leaves_nothing_behind() -> None:
    with tree(workers=2) as server:
        pids, port = list(workers(server)), server.port
        assert len(pids) == 2
        server.signal(signal.SIGKILL)
        assert server.exit_code() == -signal.SIGKILL
        wait_for(lambda: not any(map(is_alive, pids)), "the end of every worker", 1.0)
        wait_for(lambda: can_bind(port), "the port to be free", 1.0)


def test_while_it_loads_the_arbiter_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with launched(env={"SLOW": "2"}, port=port) as server:
        wait_for(lambda: not can_bind(port), "the socket")
        refused = get(url, "/any")
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["code"] == "loading"
        assert "versioned:app is being loaded" in refused.json()["detail"]
        assert get(url, "/-/health/live").status_code == 200
        assert get(url, "/-/health/startup").status_code == 503
        assert get(url, "/-/health/ready").status_code == 503
        server.wait_until_serving()
        assert get(url).text.startswith("one ")
        assert get(url, "/-/health/ready").status_code == 200


@pytest.mark.wrk
def test_the_waiting_room_hands_over_without_a_reset() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with launched(env={"SLOW": "1"}, port=port) as server:
        wait_for(lambda: not can_bind(port), "the socket")
        server.lines.insert(0, f"headrace 0 at http://127.0.0.1:{port}")
        said = Load(server, 3).end()
    assert "Socket errors" not in said or "connect 0, read 0, write 0, timeout 0" in said, said


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [("unfit", 3, "weights.bin is missing"), ("broken", 4, "this version is broken")],
)
def test_a_start_that_fails_ends_with_its_reason(
    content: str, code: int, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "version"
    file.write_text(content)
    with launched(env={"VERSION": str(file)}, workers=2) as server:
        assert server.exit_code() == code, server.terminal
    assert words in server.terminal
    assert server.lines[-1].startswith("headrace: ")
    assert sum(line.startswith("headrace: ") for line in server.lines) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_is_under_way(number: int) -> None:
    with tree(workers=2) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        pids, port = list(workers(server)), server.port
        client.sendall(b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)  # it is in the worker by now, or in its socket: both are under way
        server.signal(number)
        client.settimeout(10)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert server.exit_code() == 0
        assert not any(map(is_alive, pids))
        assert can_bind(port)
    assert server.terminal.count("released one") == 2
    assert "Traceback" not in server.terminal


def test_a_second_signal_hurries() -> None:
    with (
        tree(graceful_timeout_s=60) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        (worker,) = workers(server).values()
        wait_for(lambda: worker.status() == psutil.STATUS_SLEEPING, "the hanging request")
        server.signal(signal.SIGTERM)
        wait_for(lambda: get(server).status_code == 503, "the waiting room to answer")
        server.signal(signal.SIGTERM)
        assert server.exit_code(20) == 0  # a loop that hears nothing is killed after 8 s


def test_one_worker_more_and_one_less() -> None:
    with tree() as server:
        server.signal(signal.SIGTTIN)
        wait_for(lambda: len(workers(server)) == 2, "a second worker")
        (newest,) = sorted(workers(server))[1:]
        wait_for(lambda: f" {newest}" in get(server).text, "the second worker to answer")
        server.signal(signal.SIGTTOU)
        wait_for(lambda: list(workers(server)) == [newest], "the first worker's end")
        assert get(server).text == f"one {newest}"


def test_usr2_writes_where_everybody_stands() -> None:
    with tree() as server:
        (pid,) = workers(server)
        server.signal(signal.SIGUSR2)
        server.wait_for_line(f"process {pid}, ready, generation 1")
        server.wait_for_line(f"process {pid}: {{'status': 'ok'}}")
        wait_for(lambda: server.terminal.count("most recent call first") >= 2, "stacks of both")
        assert get(server).status_code == 200


def test_a_silent_worker_shows_its_stacks_and_is_replaced() -> None:
    with tree(worker_timeout_s=1.0) as server:
        (pid,) = workers(server)
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
            server.wait_for_line("was silent for worker_timeout_s=1")
            server.wait_for_line("versioned.py")  # the very line that hangs
            wait_for(lambda: pid not in workers(server), "its end")
            wait_for(lambda: get(server).status_code == 200, "another one to answer")


@pytest.mark.wrk
def test_worn_workers_are_recycled_and_nobody_notices() -> None:
    with tree(workers=2, max_requests=300, max_requests_jitter=200) as server:
        first = set(workers(server))
        assert Load(server, 6).errors() == ""
        wait_for(lambda: not first & set(workers(server)), "the end of the first workers")
        assert "it is replaced" in server.terminal


def test_models_have_one_worker() -> None:
    with launched("hello.py", workers=3) as server:
        assert server.exit_code() == 2
    assert "replicas=3" in server.terminal


def test_a_killed_engine_is_back_and_the_socket_stays() -> None:
    with tree("hello.py") as server:
        (pid,) = workers(server)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: get(server, "/-/health/live").status_code == 200, "an answer", 1.0)
        wait_for(lambda: get(server, "/-/health/ready").status_code == 200, "another engine")
        assert pid not in workers(server)
        assert "was ended by SIGKILL; another is started now" in server.terminal


def test_a_reload_of_models_is_passed_on_and_its_outcome_told() -> None:
    with tree("hello.py") as server:
        server.signal(signal.SIGHUP)
        server.wait_for_line("reload")
        assert get(server, "/-/health/ready").status_code == 200
