"""Requests that are no good as HTTP are refused, closed, and harm nobody."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

import headrace as hr
from headrace.host import funnel
from headrace.http import body
from headrace.runtime.driver import Driver
from tests.e2e.malformed import BAD, BODY, CHUNKED, HOST, LINE, ODD, chunks
from tests.e2e.serving import PATIENCE_S

pytestmark = pytest.mark.e2e

AFTERWARDS = b"GET /-/health/live HTTP/1.1\r\nHost: x\r\n\r\n"


class Double(hr.Model):
    def predict(self, number: float) -> float:
        return 2 * number


@pytest.fixture(scope="module")
def server() -> Iterator[hr.Running]:
    with hr.start(Double, port=0) as running:
        yield running


def connected(server: hr.Running) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def all_of(sock: socket.socket) -> bytes:
    said = b""
    while part := sock.recv(1 << 16):
        said += part
    return said


def doubled(server: hr.Running) -> float:
    return float(httpx2.post(f"{server.url}/predict", json=21, timeout=PATIENCE_S).json())


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_once_closed_and_nobody_else_notices(server: hr.Running, name: str) -> None:
    bad = BAD[name]
    with connected(server) as sock:
        sock.sendall(bad.sent + AFTERWARDS)
        said = all_of(sock)
    assert said.startswith(b"HTTP/1.1 %d " % bad.status), said
    assert said.count(b"HTTP/1.1 ") == 1, "what follows a bad request is not read as another"
    assert b"connection: close" in said.lower()
    assert b"Traceback" not in said
    assert doubled(server) == 42


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_and_legal_is_served_and_so_is_what_follows(
    server: hr.Running, name: str
) -> None:
    with connected(server) as sock:
        sock.sendall(ODD[name])
        said = answer_of(sock)
        assert said.startswith(b"HTTP/1.1 200 "), said
        assert said.endswith(b"\r\n\r\n42.0")
        if b"connection: close" in said:
            assert sock.recv(1) == b""
        else:
            sock.sendall(AFTERWARDS)
            assert answer_of(sock).endswith(b'{"status":"ok"}')


def answer_of(sock: socket.socket) -> bytes:
    """Read one final response with a length; what came before it of 100 Continue is dropped."""
    said = b""
    while True:
        head, end, body = said.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100 "):
            said = body
        elif end and len(body) >= int(head.partition(b"content-length: ")[2].split(b"\r")[0]):
            return said
        else:
            part = sock.recv(1 << 16)
            assert part, f"it ended in {said!r}"
            said += part


BODILESS = [b"HEAD /-/health/live", b"HEAD /nowhere", b"OPTIONS *", b"OPTIONS /predict"]


@pytest.mark.parametrize("asked", BODILESS)
def test_a_method_of_its_own_kind_leaves_the_connection_good(
    server: hr.Running, asked: bytes
) -> None:
    with connected(server) as sock:
        sock.sendall(asked + b" HTTP/1.1\r\n" + HOST + b"\r\n" + LINE + HOST + BODY)
        said = b""
        while b"42.0" not in said:
            part = sock.recv(1 << 16)
            assert part, said
            said += part
    first = said.partition(b"\r\n\r\n")[0]
    assert b" 400 " not in first
    assert b"connection: close" not in first
    if asked.startswith(b"HEAD"):
        assert said.partition(b"\r\n\r\n")[2].startswith(b"HTTP/1.1 200 "), "HEAD has no body"


def test_pipelined_requests_are_answered_in_their_order(server: hr.Running) -> None:
    numbers = [b"%d" % number for number in range(10, 40)]
    with connected(server) as sock:
        head = LINE + HOST + b"Content-Length: 2\r\n\r\n"
        sock.sendall(b"".join(head + number for number in numbers))
        said = b""
        while said.count(b"\r\n\r\n") < len(numbers) or not said.endswith(b"78.0"):
            said += sock.recv(1 << 16)
    bodies = [part[:4] for part in said.split(b"\r\n\r\n")[1:]]
    assert bodies == [b"%d.0" % (2 * int(number)) for number in numbers]


def test_what_follows_a_wish_to_switch_protocols_is_not_read(server: hr.Running) -> None:
    wish = b"Connection: Upgrade\r\nUpgrade: other\r\n"
    with connected(server) as sock:
        sock.sendall(LINE + HOST + wish + BODY)
        assert answer_of(sock).endswith(b"42.0")
        sock.sendall(AFTERWARDS)
        assert all_of_or_reset(sock) == b""


def all_of_or_reset(sock: socket.socket) -> bytes:
    try:
        return all_of(sock)
    except ConnectionError:
        return b""


ENDLESS = {
    "extension": (b"1;", b"x"),
    "trailer": (b"1\r\n1\r\n0\r\nX: ", b"y"),
    "trailers": (b"1\r\n1\r\n0\r\n", b"X: y\r\n"),
    "chunks of nothing but extensions": (b"1\r\n1\r\n", b"00;" + b"x" * 100),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_trimmings_without_an_end_are_cut_off(server: hr.Running, name: str) -> None:
    begin, more = ENDLESS[name]
    with connected(server) as sock:
        sock.sendall(chunks(begin))
        sock.sendall(more * ((200 << 10) // len(more)))
        said = all_of(sock)
    assert said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), said
    assert said.count(b"HTTP/1.1 ") == 1
    assert doubled(server) == 42


def test_an_early_answer_is_the_only_one(server: hr.Running) -> None:
    with connected(server) as sock:
        sock.sendall(CHUNKED.replace(b"/predict", b"/nowhere") + b"\r\n2\r\n21\r\n")
        assert answer_of(sock).startswith(b"HTTP/1.1 404 ")
        sock.sendall(b"this is no chunk\r\n" + AFTERWARDS)
        assert all_of_or_reset(sock) == b""
    assert doubled(server) == 42


def test_the_corpus_is_not_less_than_it_says() -> None:
    assert len(BAD) >= 100
    assert len({bad.sent for bad in BAD.values()}) == len(BAD)
    assert len(ODD) >= 20


def test_an_answer_that_is_owed_comes_before_the_end(server: hr.Running) -> None:
    with connected(server) as sock:
        sock.sendall(LINE + HOST + b"Content-Length: 2\r\n\r\n21" + b"garbage\r\n\r\n")
        said = all_of(sock)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"42.0")
    assert said.count(b"HTTP/1.1 ") == 1


DAWDLERS = {
    "over its headers": LINE + b"Ho",
    "over a small body": LINE + HOST + b"Content-Length: 9\r\n\r\n2",
    "over a chunked body": LINE + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n2\r\n",
}


@pytest.fixture(scope="module")
def strict() -> Iterator[hr.Running]:
    """A server with less patience than the default's."""
    with hr.start(
        Double, port=0, header_timeout_s=0.2, body_idle_timeout_s=0.2, write_timeout_s=1.0
    ) as running:
        yield running


@pytest.mark.parametrize("name", DAWDLERS)
def test_a_dawdling_client_gets_a_408_in_time(strict: hr.Running, name: str) -> None:
    began = time.monotonic()
    with connected(strict) as sock:
        sock.sendall(DAWDLERS[name])
        said = all_of(sock)
    assert said.startswith(b"HTTP/1.1 408 "), said
    assert time.monotonic() - began < PATIENCE_S
    assert doubled(strict) == 42


def test_a_body_that_trickles_is_cut_off(
    server: hr.Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (body, funnel):
        monkeypatch.setattr(module, "SLOW_AFTER_S", 0.1)
    with connected(server) as sock:
        sock.sendall(LINE + HOST + b"Content-Length: 90000\r\n\r\n")
        sock.settimeout(0.05)
        said = b""
        for _ in range(100):
            sock.sendall(b"1")
            try:
                said = sock.recv(1 << 16)
                break
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408 "), said


def test_a_bug_of_ours_is_a_500_and_not_the_clients_fault(
    server: hr.Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "ask", broken)
        said = httpx2.post(f"{server.url}/predict", json=21, timeout=PATIENCE_S)
    assert (said.status_code, said.json()["code"]) == (500, "internal_error")
    assert "a bug" not in said.text
    assert doubled(server) == 42
