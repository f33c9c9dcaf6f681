"""Clients that take no answer, and more clients than there is room for: nobody else notices."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from uvicorn.server import ServerState

import headrace as hr
from headrace.host.files import SPARE_FILES, most_connections
from headrace.service import Service
from tests.e2e.serving import PATIENCE_S, wait_for

pytestmark = pytest.mark.e2e

LONG = 30_000_000
ROOM = 8


class Tells(hr.Model):
    def predict(self, size: int) -> str:
        return "x" * size


class Sleeps(hr.Model):
    async def predict(self, seconds: float) -> float:
        import asyncio

        await asyncio.sleep(seconds)
        return seconds


def request(body: bytes, path: str = "/predict", more: bytes = b"") -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n"
    return head % (path.encode(), more, len(body)) + body


def connected(server: hr.Running, receive_bytes: int = 0) -> socket.socket:
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(PATIENCE_S)
    sock.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    return sock


def read_all(sock: socket.socket) -> None:
    while sock.recv(1 << 20):
        pass


def state(service: Service) -> ServerState:
    return service._http[0].server_state


def connections(server: hr.Running) -> int:
    return int(server._in_loop(lambda service: len(state(service).connections)))


def tasks(server: hr.Running) -> int:
    return int(server._in_loop(lambda service: len(state(service).tasks)))


def told(server: hr.Running, size: int = 3) -> str:
    return str(httpx2.post(f"{server.url}/predict", json=size, timeout=PATIENCE_S).json())


# --- who takes no answer -------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient() -> Iterator[hr.Running]:
    with hr.start(Tells, port=0, write_timeout_s=1.0) as running:
        yield running


DEAF = {
    "to one answer": request(b"%d" % LONG),
    "to its last answer": request(b"%d" % LONG, more=b"Connection: close\r\n"),
    "to an answer by ASGI": request(b"%d" % LONG + b" " * 70_000),
    "to many answers": request(b"2000000") * 20,
    "to many answers, by ASGI too": (request(b"2000000") + request(b"1" + b" " * 70_000)) * 10,
}


@pytest.mark.parametrize("name", DEAF)
def test_a_deaf_client_is_dropped_and_nothing_waits_for_it(
    impatient: hr.Running, name: str
) -> None:
    with connected(impatient, receive_bytes=4096) as sock:
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):  # it stops to listen, while we do not
            sock.sendall(DEAF[name])
        wait_for(lambda: connections(impatient), "the connection to be there")
        assert told(impatient) == "xxx"
        wait_for(lambda: not connections(impatient), "the client to be dropped")
        wait_for(lambda: not tasks(impatient), "the end of its tasks", 1.0)
        with pytest.raises(ConnectionResetError):
            read_all(sock)
    assert told(impatient) == "xxx"


def test_a_client_that_listens_slowly_is_served_to_the_end(impatient: hr.Running) -> None:
    with connected(impatient, receive_bytes=1 << 16) as sock:
        sock.sendall(request(b"8000000", more=b"Connection: close\r\n"))
        began, came = time.monotonic(), 0
        while part := sock.recv(1 << 16):
            came += len(part)
            time.sleep(0.03)  # some 2 MB a second
    assert came > 8_000_000
    assert time.monotonic() - began > 3.0, "it was too quick to prove anything"


# --- more than there is room for -----------------------------------------------------------


@pytest.fixture
def small() -> Iterator[hr.Running]:
    with hr.start(Sleeps, port=0, max_connections=ROOM) as running:
        yield running


def slept(server: hr.Running) -> int:
    return httpx2.post(f"{server.url}/predict", json=0, timeout=PATIENCE_S).status_code


@contextlib.contextmanager
def many(server: hr.Running, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connected(server)) for _ in range(count)]
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.sendall(said)
        yield socks


@pytest.mark.parametrize("said", [b"", b"POST /predict HTTP/1.1\r\nHo"])
def test_who_only_holds_a_connection_makes_room(small: hr.Running, said: bytes) -> None:
    with many(small, ROOM, said):
        wait_for(lambda: connections(small) == ROOM, "a full server")
        wait_for(lambda: slept(small) == 200, "room for others")


def test_with_every_connection_at_work_a_probe_is_answered_and_others_told(
    small: hr.Running,
) -> None:
    with many(small, ROOM, request(b"3")) as busy:
        wait_for(lambda: connections(small) == ROOM, "a full server")
        refused = httpx2.post(f"{small.url}/predict", json=0, timeout=PATIENCE_S)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_connections")
        assert refused.headers["connection"] == "close"
        assert refused.headers["retry-after"] == "1"
        live = httpx2.get(f"{small.url}/-/health/live", timeout=PATIENCE_S)
        assert (live.status_code, live.headers["connection"]) == (200, "close")
        for sock in busy:
            assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        wait_for(lambda: slept(small) == 200, "room again")


def test_a_flood_is_told_at_once_and_the_server_lives_on(small: hr.Running) -> None:
    with many(small, ROOM, request(b"2")), many(small, 300, b"") as flood:
        wait_for(lambda: connections(small) < 100, "most of the flood to be gone")
        said = flood[-1].recv(1 << 16)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in said
    wait_for(lambda: slept(small) == 200, "room again")


# --- files ---------------------------------------------------------------------------------


@pytest.fixture
def limit_of_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[int]]:
    def pretend(soft: int, hard: int) -> list[int]:
        raised: list[int] = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits[0]))
        return raised

    return pretend


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised"),
    [
        (10_000, 10_000, 4096, []),
        (1024, 10_000, 4096, [4096 + SPARE_FILES]),
        (1024, resource.RLIM_INFINITY, 4096, [4096 + SPARE_FILES]),
        (1024, 2048, 2048 - SPARE_FILES, [2048]),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 4096, []),
        (100, 100, 1, [100]),
    ],
)
def test_connections_are_as_many_as_files_may_be_open(
    limit_of_files: Callable[[int, int], list[int]],
    soft: int,
    hard: int,
    connections: int,
    raised: list[int],
) -> None:
    asked = limit_of_files(soft, hard)
    assert most_connections(4096) == connections
    assert asked == raised
