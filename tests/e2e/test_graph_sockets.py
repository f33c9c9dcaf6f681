"""WebSockets of applications in replicas: both ways, every end, and a replica that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import httpx2
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.graphs import get, graph, socket
from tests.e2e.serving import PATIENCE_S, Program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
COME_BACK = 1012


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with graph("graph_odd.py") as started:
        yield started


def close_of(server: Program, path: str) -> tuple[int, str]:
    """Open a WebSocket that says nothing; tell how it is closed."""
    with socket(server, path) as line, pytest.raises(ConnectionClosed) as closed:
        line.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_text_and_bytes_go_both_ways_whatever_their_length(server: Program) -> None:
    with socket(server, "/app/ws", subprotocols=["chat", "other"]) as line:
        assert line.subprotocol == "chat"
        assert line.response is not None
        assert line.response.headers["x-hello"] == "you"
        assert line.response.headers["x-request-id"]
        line.recv(timeout=PATIENCE_S)
        for word in ("", "short", "\N{SNOWMAN}" * 100_000, b"", b"\0\xff", os.urandom(5_000_000)):
            line.send(word)
            assert line.recv(timeout=PATIENCE_S) == word
        line.close(4321, "bye")
    server.wait_for_line("disconnected: 4321 bye")


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [("closing", 4001, "enough"), ("returning", 1000, ""), ("raising", 1011, "")],
)
def test_each_end_has_its_code(server: Program, path: str, code: int, reason: str) -> None:
    assert close_of(server, f"/app/ws/{path}") == (code, reason)
    if path == "raising":
        server.wait_for_line("ValueError: in the midst of it")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [("/app/ws/denied", 403, b""), ("/app/ws/worded", 402, b"not today"), ("/nowhere", 403, b"")],
)
def test_a_refusal_is_an_answer(server: Program, path: str, status: int, body: bytes) -> None:
    with pytest.raises(InvalidStatus) as refused, socket(server, path):
        pass
    response = refused.value.response
    assert (response.status_code, bytes(response.body or b"")) == (status, body)
    if status == 402:
        assert response.headers["x-why"] == "tired"


def test_a_deaf_application_is_cancelled_after_its_grace(server: Program) -> None:
    with socket(server, "/app/ws/deaf"):
        time.sleep(0.8)  # longer than the grace: with its client there it goes on
        assert "the deaf one was cancelled" not in server.terminal
    server.wait_for_line("the deaf one was cancelled")


def test_a_client_that_reads_nothing_holds_its_application_up(server: Program) -> None:
    memory = psutil.Process(server.process.pid)
    with socket(server, "/app/ws/flood", max_queue=1, compression=None):
        time.sleep(1.0)
        processes = [memory, *memory.children(recursive=True)]
        before = sum(each.memory_info().rss for each in processes)
        time.sleep(1.0)
        assert sum(each.memory_info().rss for each in processes) - before < 50_000_000
    sent = server.wait_for_line("sent ")
    assert int(sent.rpartition(" ")[2]) * 65536 < 60_000_000  # what sockets hold, and its credit


def test_a_killed_replica_and_a_stop_close_with_come_back() -> None:
    with graph("graph_odd.py", "--graceful-timeout-s=1") as server:
        with socket(server, "/app/ws") as line:
            os.kill(int(line.recv(timeout=PATIENCE_S)), signal.SIGKILL)
            with pytest.raises(ConnectionClosed) as closed:
                line.recv(timeout=PATIENCE_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == COME_BACK
        wait_for(lambda: get(server, "/app/state").status_code == 200, "another replica")
        with socket(server, "/app/ws") as line:
            line.recv(timeout=PATIENCE_S)
            server.signal(signal.SIGTERM)
            line.send("still there")
            assert line.recv(timeout=PATIENCE_S) == "still there"  # the grace is for it, too
            with pytest.raises(ConnectionClosed) as closed:
                line.recv(timeout=PATIENCE_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == COME_BACK
        assert server.exit_code(20) == 0
        assert "torn down" in server.terminal


async def converse(url: str, until: float, told: Counter[str], lost: dict[int, int]) -> None:
    """Echo until the time is over, one message at a time; note how it ended."""
    async with connect(url, open_timeout=60, max_queue=4) as line:
        pid = int(await line.recv())
        told[f"on {pid}"] += 1
        number = 0
        try:
            while time.monotonic() < until:
                number += 1
                await line.send(f"{number}")
                assert await line.recv() == f"{number}", "a message was lost"
                told["echoes"] += 1
                await asyncio.sleep(0.05)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else 0
            lost[pid] = lost.get(pid, 0) + 1
            told[f"closed {code}"] += 1


async def crowd(url: str, sessions: int, for_s: float) -> tuple[Counter[str], dict[int, int], int]:
    """Let many echo, and kill a replica in the middle of it; return what became of them."""
    told: Counter[str] = Counter()
    lost: dict[int, int] = {}
    until = time.monotonic() + for_s
    talks = [asyncio.create_task(converse(url, until, told, lost)) for _ in range(sessions)]
    await asyncio.sleep(for_s / 2)
    victim = int(next(word for word in told if word.startswith("on "))[3:])
    os.kill(victim, signal.SIGKILL)
    await asyncio.gather(*talks)
    return told, lost, victim


@pytest.mark.parametrize(
    ("sessions", "for_s"), [(40, 5.0), pytest.param(200, 30.0, marks=pytest.mark.soak)]
)
def test_only_the_sessions_of_a_killed_replica_close(sessions: int, for_s: float) -> None:
    with graph("graph_echo.py") as server:
        url = f"ws{server.url.removeprefix('http')}/"
        told, lost, victim = asyncio.run(crowd(url, sessions, for_s))
        on_it = told[f"on {victim}"]
        assert on_it < sessions, "all of them were on one replica"
        assert lost == {victim: on_it}
        assert told[f"closed {COME_BACK}"] == on_it
        assert told["echoes"] > sessions * for_s
        with httpx2.Client(base_url=server.url, timeout=PATIENCE_S) as client:
            assert client.get("/-/health/live").status_code == 200
