"""What clients see: good answers, bad requests, refusals, and nobody else's business."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.e2e.load import Crowd
from tests.e2e.serving import PATIENCE_S, Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(30)]


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    """One server of all the models; each test leaves it as it was."""
    with served("obedient.py", "--max-body-bytes=100000") as started:
        yield started


BAD = [
    # method, path, content, content type, status, words in the problem's detail or path
    ("POST", "/typed", b"{", "application/json", 400, "JSON"),
    ("POST", "/typed", b"", "application/json", 400, "body"),
    ("POST", "/typed", b'{"name": "a", "times": [1, "x"]}', "application/json", 422, "$.times[1]"),
    ("POST", "/typed", b'{"name": "a"}', "application/json", 422, "times"),
    ("POST", "/typed", b"\xff\xfe", "application/json", 400, ""),
    ("POST", "/typed", b"x" * 100_001, "application/json", 413, "100000"),
    ("POST", "/typed", b"name=a", "application/x-www-form-urlencoded", 415, "curl"),
    ("GET", "/typed", b"", "application/json", 405, "POST"),
    ("DELETE", "/typed", b"", "application/json", 405, "POST"),
    ("POST", "/nowhere", b"{}", "application/json", 404, "/typed"),
    ("POST", "/-/health", b"{}", "application/json", 405, "GET"),
]


@pytest.mark.parametrize(("method", "path", "content", "media", "code", "words"), BAD)
def test_a_bad_request_is_a_problem_and_nobody_elses(
    server: Program, method: str, path: str, content: bytes, media: str, code: int, words: str
) -> None:
    answer = httpx2.request(
        method, server.url + path, content=content, headers={"content-type": media}
    )
    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert words in problem["detail"] + problem.get("path", "")
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    assert ask(server, "/typed", {"name": "a", "times": [1, 2]}).json() == "aaa"


def test_a_body_without_a_length_is_counted(server: Program) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    answer = httpx2.post(server.url + "/typed", content=chunks())
    assert answer.status_code == 413


def test_garbage_instead_of_http_harms_nobody(server: Program) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 400")
    assert ask(server, "/async", {"wish": "echo", "value": 1}).json() == 1


def test_a_hook_that_raises_tells_its_traceback_to_the_log_only(server: Program) -> None:
    label = {"X-Request-Id": "find-me"}
    answer = ask(server, "/sync", {"wish": "fail", "value": "a secret"}, headers=label)
    assert (answer.status_code, answer.json()["code"]) == (500, "hook_failed")
    assert "a secret" not in answer.text
    server.wait_for_line("find-me")
    assert server.wait_for_line("ValueError: a secret").startswith("[sync/1] ")


def test_what_a_replica_prints_and_logs_bears_its_name(server: Program) -> None:
    label = {"X-Request-Id": "label-7"}
    ask(server, "/sync", {"wish": "tell", "value": "words"}, headers=label)
    assert server.wait_for_line("printed words") == "[sync/1] printed words"
    line = server.wait_for_line("logged words")
    assert line.startswith("[sync/1] WARNING obedient")
    assert "label-7" in line


def test_the_same_label_from_everybody_mixes_nobody_up(server: Program) -> None:
    for path in ("/sturdy", "/batched"):
        tally = asyncio.run(Crowd(server.port, path, clients=50).ask_for(0.5))
        assert tally.is_clean, tally
        assert len(tally.pids) == 2


def test_async_requests_wait_side_by_side(server: Program) -> None:
    def nap(number: int) -> Any:
        return ask(server, "/async", {"wish": "nap", "value": 0.5 + number / 1000}).json()

    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(nap, range(16), timeout=4)
        assert list(answers) == [0.5 + number / 1000 for number in range(16)]


def test_a_deadline_is_a_504_in_time(server: Program) -> None:
    answer = ask(
        server,
        "/async",
        {"wish": "nap", "value": 20},
        headers={"X-Request-Timeout-Seconds": "0.2"},
    )
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert 0.2 <= answer.elapsed.total_seconds() < 2
    wait_for(lambda: not running(server, "async"), "the cancelled work to end")


def running(server: Program, name: str) -> int:
    copies = status(server)["deployments"][name]["replicas"]
    return sum(copy["running"] for copy in copies)


def queued(server: Program, name: str) -> int:
    return int(status(server)["deployments"][name]["queued"])


def test_work_of_a_client_that_left_is_cancelled(server: Program, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with post_raw(server, "/async", {"wish": "wait", "value": str(mark)}):
        wait_for(Path(f"{mark}.begun").exists, "the work to begin")
    wait_for(Path(f"{mark}.stopped").exists, "the work to be cancelled", 2)
    wait_for(lambda: not running(server, "async"), "the slot to be free", 2)


def post_raw(server: Program, path: str, body: Any) -> socket.socket:
    """Send a request and do not wait for its answer; closing the socket is leaving."""
    content = json.dumps(body).encode()
    sock = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    sock.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + content)
    return sock


def test_a_full_queue_refuses_and_leaving_empties_it(tmp_path: Path) -> None:
    busy, never = tmp_path / "busy", tmp_path / "never"
    with served("obedient.py:Sync") as server:
        first = post_raw(server, "/predict", {"wish": "mark_and_sleep", "value": str(busy)})
        wait_for(busy.exists, "the replica to be busy")
        wish = {"wish": "mark", "value": str(never)}
        waiting = [post_raw(server, "/predict", wish) for _ in range(4)]
        wait_for(lambda: queued(server, "sync") == 4, "the queue to fill")
        answer = ask(server, "/predict", wish)
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
        assert int(answer.headers["retry-after"]) >= 1
        for sock in waiting:
            sock.close()
        wait_for(lambda: queued(server, "sync") == 0, "the queue to empty", 2)
        replica = status(server)["deployments"]["sync"]["replicas"][0]["pid"]
        psutil.Process(replica).send_signal(signal.SIGKILL)
        first.close()
        wait_for(lambda: can_ask(server), "the next replica")
        assert not never.exists()


def can_ask(server: Program) -> bool:
    return bool(ask(server, "/predict", {"wish": "echo"}).status_code == 200)


def test_two_hundred_requests_leave_no_file_open() -> None:
    with served("hello.py") as server:

        def opened() -> list[int]:
            tree = [psutil.Process(server.process.pid), *server.children]
            return [process.num_fds() for process in tree]

        ask(server, "/predict", "warm")
        before = opened()
        with httpx2.Client(base_url=server.url) as client:
            for number in range(200):
                assert client.post("/predict", json=str(number)).status_code == 200

        def no_more() -> bool:
            return all(now <= then for now, then in zip(opened(), before, strict=True))

        wait_for(no_more, f"no more open files than before, {before}")


def test_a_pipelining_client_gets_its_answers_in_order(server: Program) -> None:
    content = b'{"wish": "echo", "value": %d}'
    bodies = [content % number for number in range(5)]
    head = b"POST /async HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"".join(head % len(body) + body for body in bodies))
        sock.settimeout(5)
        said = b""
        while said.count(b"HTTP/1.1 200") < 5 or not said.endswith(b"4"):
            said += sock.recv(10_000)
    found = [part.rpartition(b"\r\n\r\n")[2] for part in said.split(b"HTTP/1.1 200 OK")[1:]]
    assert [int(body) for body in found] == [0, 1, 2, 3, 4]


def test_probes_answer_while_every_replica_is_busy(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with served("obedient.py:Sync") as server:
        wish = {"wish": "mark_and_sit_in_c", "value": str(mark)}
        with post_raw(server, "/predict", wish):
            wait_for(mark.exists, "the replica to be busy")
            for path in ("/-/health/live", "/-/health/ready", "/-/metrics", "/-/info"):
                answer = httpx2.get(server.url + path, timeout=1)
                assert answer.status_code == 200
            server.signal(signal.SIGKILL)


def test_a_slow_client_holds_up_nobody(server: Program) -> None:
    done = threading.Event()
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"POST /typed HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert ask(server, "/typed", {"name": "a", "times": [1]}).json() == "a"
        done.set()
    assert done.is_set()


def test_a_silent_client_is_let_go_and_one_that_waits_for_its_answer_is_not() -> None:
    with (
        served("obedient.py:Sync", "--keep-alive-timeout-s", "1") as server,
        post_raw(server, "/predict", {"wish": "sleep", "value": 3}) as patient,
        post_raw(server, "/predict", {"wish": "echo", "value": 1}) as silent,
    ):
        patient.settimeout(PATIENCE_S)
        silent.settimeout(PATIENCE_S)
        assert patient.recv(1000).startswith(b"HTTP/1.1 200"), "it was answered, however late"
        answer = silent.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200")
        while answer:
            answer = silent.recv(1000)  # closed within PATIENCE_S, or a time-out fails the test
