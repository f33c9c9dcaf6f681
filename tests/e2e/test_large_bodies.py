"""Large bodies cross shared memory: they arrive whole, and nothing of them stays behind."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.memory import tidying, worker
from headrace.memory.arena import Arena, Region
from headrace.memory.slots import LARGE_BYTES, arenas
from tests.e2e.serving import PATIENCE_S, wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there is no memfd here"),
]

MIB = 1 << 20
RAW = {"content-type": "application/octet-stream"}
SIZES = (0, 1, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, MIB + 7, 10 * MIB)


@hr.deployment(route="/echo")
class Echo(hr.Model):
    def predict(self, body: bytes) -> bytes:
        return body


@hr.deployment(route="/later")
class Later(hr.Model):
    async def predict(self, body: bytes) -> bytes:
        return body


@hr.deployment(route="/together", max_batch_size=4)
class Together(hr.Model):
    def predict_batch(self, bodies: list[bytes]) -> list[bytes]:
        return bodies


@hr.deployment(route="/numbers")
class Numbers(hr.Model):
    def predict(self, numbers: list[int], context: hr.Context) -> list[int]:
        context.status = 201
        context.response_headers["X-Sum"] = str(sum(numbers))
        return numbers


@hr.deployment(route="/dies")
class Dies(hr.Model):
    def predict(self, body: bytes, context: hr.Context) -> dict[str, Any]:
        if context.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"attempt": context.attempt, "digest": hashlib.sha256(body).hexdigest()}


@hr.deployment(route="/keeps")
class Keeps(hr.Model):
    def setup(self) -> None:
        self.kept: list[hr.Context] = []

    def predict(self, body: bytes, context: hr.Context) -> int:
        self.kept.append(context)
        if len(self.kept) == 3:
            self.kept.clear()
        return len(self.kept)


@hr.deployment(route="/slow", max_queued_bytes=3 * MIB, timeout_s=30)
class Slow(hr.Model):
    def predict(self, body: bytes) -> int:
        time.sleep(0.5)
        return len(body)


ALL = (Echo, Later, Together, Numbers, Dies, Keeps, Slow)


@pytest.fixture(scope="module")
def server() -> Iterator[hr.Running]:
    with hr.start(*ALL, port=0) as running:
        yield running


def post(server: hr.Running, path: str, body: bytes, **more: Any) -> httpx2.Response:
    url = server.url + path
    return httpx2.post(url, content=body, headers={**RAW, **more}, timeout=PATIENCE_S)


def arena() -> Arena:
    (found,) = arenas.values()
    assert isinstance(found, Arena)
    return found


def held_bytes() -> int:
    """How much of the requests' memory is set aside."""
    region = arena().keepers[0]
    assert isinstance(region, Region)
    return region.used_bytes


def all_is_given_back(leave_bytes: int = 0) -> None:
    gc.collect()
    wait_for(lambda: held_bytes() == leave_bytes, "the end of every large body")


def connected(server: hr.Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), PATIENCE_S)


def head_of(path: str, length: int, more: str = "") -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}"
    return f"{lines}Content-Type: application/octet-stream\r\n\r\n".encode()


@pytest.mark.parametrize("path", ["/echo", "/later", "/together"])
@pytest.mark.parametrize("size", SIZES)
def test_a_body_of_any_size_comes_through_whole(server: hr.Running, path: str, size: int) -> None:
    body = os.urandom(size)
    answer = post(server, path, body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, RAW["content-type"])
    assert answer.content == body
    all_is_given_back()


def test_bodies_of_many_at_once_are_not_mixed_up(server: hr.Running) -> None:
    bodies = [os.urandom(LARGE_BYTES + 9999 * number) for number in range(40)]
    paths = ["/echo", "/later", "/together"] * 14
    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(lambda path, body: post(server, path, body).content, paths, bodies)
        assert list(answers) == bodies
    all_is_given_back()


@pytest.mark.parametrize("size", SIZES)
def test_a_body_whose_length_nobody_told_comes_through_too(server: hr.Running, size: int) -> None:
    body = os.urandom(size)
    pieces = (body[at : at + 50_000] for at in range(0, size, 50_000))
    answer = httpx2.post(f"{server.url}/echo", content=pieces, headers=RAW, timeout=PATIENCE_S)
    assert answer.content == body
    all_is_given_back()


def test_json_that_is_large_is_read_and_written(server: hr.Running) -> None:
    numbers = list(range(300_000))
    answer = httpx2.post(f"{server.url}/numbers", json=numbers, timeout=PATIENCE_S)
    assert (answer.status_code, answer.headers["x-sum"]) == (201, str(sum(numbers)))
    assert answer.json() == numbers
    wrong = json.dumps([*numbers, "x"]).encode()
    answer = httpx2.post(f"{server.url}/numbers", content=wrong, timeout=PATIENCE_S)
    assert (answer.status_code, answer.json()["path"]) == (422, "$[300000]")
    all_is_given_back()


def test_a_client_that_asks_first_is_told_to_go_on(server: hr.Running) -> None:
    body = os.urandom(MIB)
    with connected(server) as sock:
        sock.sendall(head_of("/echo", MIB, "Expect: 100-continue\r\nConnection: close\r\n"))
        assert sock.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        said = b"".join(iter(lambda: sock.recv(1 << 16), b""))
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(body)


@pytest.mark.parametrize(
    ("path", "length", "method", "status"),
    [("/echo", 65 * MIB, "POST", 413), ("/echo", MIB, "PUT", 405), ("/nothing", MIB, "POST", 404)],
)
def test_what_is_refused_is_refused_before_it_is_read(
    server: hr.Running, path: str, length: int, method: str, status: int
) -> None:
    with connected(server) as sock:
        sock.sendall(head_of(path, length).replace(b"POST", method.encode()))
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 %d " % status)
    all_is_given_back()


def test_a_replica_that_dies_takes_no_body_with_it(server: hr.Running) -> None:
    body = os.urandom(5 * MIB)
    wait_for(lambda: server.status()["status"] == "ok", "the server to be whole")
    answer = post(server, "/dies", body)
    assert answer.json() == {"attempt": 2, "digest": hashlib.sha256(body).hexdigest()}
    all_is_given_back()


def test_an_answer_outlives_the_replica_that_gave_it(server: hr.Running) -> None:
    body = os.urandom(20 * MIB)
    with connected(server) as sock:
        sock.sendall(head_of("/echo", len(body), "Connection: close\r\n"))
        sock.sendall(body)
        said = sock.recv(1 << 16)
        (pid,) = pids(server, "echo")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: pids(server, "echo") not in ([pid], []), "another replica")
        assert post(server, "/echo", b"z" * len(body)).content == b"z" * len(body)
        said += b"".join(iter(lambda: sock.recv(1 << 20), b""))
    assert said.endswith(body)
    all_is_given_back()


def pids(server: hr.Running, name: str) -> list[int]:
    told = server.status()["deployments"][name]["replicas"]
    return [replica["pid"] for replica in told if replica["state"] == "ready"]


@pytest.mark.parametrize("sent", [0, 1000, 3 * MIB])
def test_a_client_that_leaves_while_it_sends_leaves_nothing(server: hr.Running, sent: int) -> None:
    with connected(server) as sock:
        sock.sendall(head_of("/echo", 4 * MIB) + b"x" * sent)
        wait_for(held_bytes, "the body to have a place")
    all_is_given_back()


def test_a_client_that_leaves_while_it_is_served_leaves_nothing(server: hr.Running) -> None:
    for path in ("/slow", "/later"):
        with connected(server) as sock:
            sock.sendall(head_of(path, MIB) + b"x" * MIB)
        all_is_given_back()


def test_what_a_model_keeps_is_kept_for_it(server: hr.Running) -> None:
    sizes = [post(server, "/keeps", b"x" * MIB).json() for _ in range(2)]
    assert sizes == [1, 2]
    all_is_given_back(2 * MIB)
    assert post(server, "/keeps", b"x" * MIB).json() == 0
    all_is_given_back()


def test_the_queue_counts_bytes_from_the_moment_they_are_announced(server: hr.Running) -> None:
    with connected(server) as first, connected(server) as second:
        for sock in (first, second):
            sock.sendall(head_of("/slow", MIB) + b"x")
        wait_for(lambda: held_bytes() >= 2 * MIB, "two bodies on their way")
        refused = post(server, "/slow", b"x" * (2 * MIB))
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "bytes already wait for slow" in refused.json()["detail"]
        assert post(server, "/echo", b"x" * (2 * MIB)).status_code == 200, "it is another's queue"
        first.sendall(b"x" * (MIB - 1))
        assert first.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    assert post(server, "/slow", b"x" * (2 * MIB)).status_code == 200
    all_is_given_back()


def test_a_body_of_no_told_length_is_refused_once_there_is_no_room(server: hr.Running) -> None:
    with connected(server) as other:
        other.sendall(head_of("/slow", 2 * MIB) + b"x")
        wait_for(lambda: held_bytes() >= 2 * MIB, "a body on its way")
        pieces = chain([b"x" * MIB, b"x"], (b"x" * 1000 for _ in range(3)))
        answer = httpx2.post(f"{server.url}/slow", content=pieces, headers=RAW, timeout=PATIENCE_S)
        assert answer.status_code == 503
    all_is_given_back()


def test_a_body_over_the_bound_is_served_alone(server: hr.Running) -> None:
    assert post(server, "/slow", b"x" * (5 * MIB)).json() == 5 * MIB


def test_memory_goes_back_to_the_system_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "QUIET_S", 0.3)
    others = set(arenas)
    with hr.start(Echo, port=0) as server:
        (own,) = (arenas[number] for number in set(arenas) - others)
        assert isinstance(own, Arena)
        body = os.urandom(10 * MIB)
        for _ in range(2):
            assert post(server, "/echo", body).content == body
            assert os.fstat(own.fd).st_blocks * 512 >= 20 * MIB
            wait_for(lambda: os.fstat(own.fd).st_blocks == 0, "all of it to be given back")


def test_where_memory_cannot_be_shared_bodies_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SUPPORTED", False)
    others = set(arenas)
    with hr.start(Echo, Later, port=0) as server:
        assert set(arenas) == others
        for size in SIZES:
            body = os.urandom(size)
            assert post(server, "/echo", body).content == body
            assert post(server, "/later", body).content == body
