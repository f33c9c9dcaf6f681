"""Requests that are no good as HTTP are refused, closed, and harm nobody."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

import headrace as hr
from headrace.host import protocol
from headrace.http import body
from headrace.runtime.driver import Driver
from tests.e2e.serving import PATIENCE_S

pytestmark = pytest.mark.e2e

POST = b"POST /predict HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
BAD: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"hello there\r\n\r\n", 400),
    "a binary start": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "an unknown version": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    "no Host": (POST + b"Content-Length: 2\r\n\r\n42", 400),
    "an empty Host": (POST + b"Host:\r\nContent-Length: 2\r\n\r\n42", 400),
    "two Hosts": (POST + HOST + b"Host: y\r\nContent-Length: 2\r\n\r\n42", 400),
    "two lengths": (POST + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n42", 400),
    "a list of lengths": (POST + HOST + b"Content-Length: 2, 2\r\n\r\n42", 400),
    "a negative length": (POST + HOST + b"Content-Length: -2\r\n\r\n42", 400),
    "a length in hex": (POST + HOST + b"Content-Length: 0x2\r\n\r\n42", 400),
    "a length with a sign": (POST + HOST + b"Content-Length: +2\r\n\r\n42", 400),
    "a length too long for anyone": (
        POST + HOST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
        400,
    ),
    "both framings": (
        POST + HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two encodings": (
        POST + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "an encoding that ends with another": (
        POST + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a chunk that is no number": (
        POST + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n42\r\n0\r\n\r\n",
        400,
    ),
    "a space before the colon": (POST + b"Host : x\r\nContent-Length: 2\r\n\r\n42", 400),
    "a space in a name": (POST + HOST + b"X Y: z\r\n\r\n", 400),
    "a NUL in a value": (POST + HOST + b"X: a\x00b\r\n\r\n", 400),
    "a folded header": (POST + HOST + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n42", 400),
    "a bare CR": (POST + HOST + b"X: a\rb\r\n\r\n", 400),
    "a long URL": (b"GET /" + b"a" * (17 << 10) + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "too many headers": (POST + HOST + b"X: y\r\n" * 101 + b"\r\n", 431),
    "a long header": (POST + HOST + b"X: " + b"y" * (65 << 10) + b"\r\n\r\n", 431),
    "5 MB of headers": (POST + HOST + (b"X: " + b"y" * 8000 + b"\r\n") * 625 + b"\r\n", 431),
}


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
    content, status = BAD[name]
    with connected(server) as sock:
        sock.sendall(content)
        said = all_of(sock)
    assert said.startswith(b"HTTP/1.1 %d " % status), said
    assert said.count(b"HTTP/1.1 ") == 1, "what follows a bad request is not read as another"
    assert b"connection: close" in said.lower()
    assert b"Traceback" not in said
    assert doubled(server) == 42


def test_an_answer_that_is_owed_comes_before_the_end(server: hr.Running) -> None:
    with connected(server) as sock:
        sock.sendall(POST + HOST + b"Content-Length: 2\r\n\r\n21" + b"garbage\r\n\r\n")
        said = all_of(sock)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"42.0")
    assert said.count(b"HTTP/1.1 ") == 1


DAWDLERS = {
    "over its headers": POST + b"Ho",
    "over a small body": POST + HOST + b"Content-Length: 9\r\n\r\n2",
    "over a chunked body": POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n2\r\n",
}


@pytest.mark.parametrize("name", DAWDLERS)
def test_a_dawdling_client_gets_a_408_in_time(
    server: hr.Running, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADERS_S", 0.2)
    monkeypatch.setattr(protocol, "BODY_S", 0.2)
    monkeypatch.setattr(body, "IDLE_S", 0.2)
    began = time.monotonic()
    with connected(server) as sock:
        sock.sendall(DAWDLERS[name])
        said = all_of(sock)
    assert said.startswith(b"HTTP/1.1 408 "), said
    assert time.monotonic() - began < PATIENCE_S
    assert doubled(server) == 42


def test_a_body_that_trickles_is_cut_off(
    server: hr.Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "SLOW_AFTER_S", 0.1)
    with connected(server) as sock:
        sock.sendall(POST + HOST + b"Content-Length: 90000\r\n\r\n")
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
