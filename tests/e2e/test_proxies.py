"""nginx and haproxy in front: one request is one request, and each answer goes to who asked."""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.e2e.malformed import LINE, ODD, SMUGGLING
from tests.e2e.serving import PATIENCE_S, Program, ask, served
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.proxies]

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; large_client_header_buffers 4 64k;
  client_header_timeout 1s; client_body_timeout 1s;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream app {{ server 127.0.0.1:{upstream}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Host shop.example;
    }}
  }}
}}
"""
HAPROXY = """
global
  maxconn 256
defaults
  mode http
  timeout connect 2s
  timeout client 1s
  timeout server 5s
  timeout http-request 1s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Host shop.example
  default_backend app
backend app
  server app 127.0.0.1:{upstream}
"""
PROXIES: dict[str, tuple[str, Callable[[Path, Path], list[str]]]] = {
    "nginx": (NGINX, lambda file, folder: ["nginx", "-p", str(folder), "-c", str(file)]),
    "haproxy": (HAPROXY, lambda file, folder: ["haproxy", "-db", "-f", str(file)]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with served("seen.py") as started:
        yield started


def seen(server: Program) -> list[float]:
    """Return the numbers that reached the model since this was last asked."""
    numbers: list[float] = ask(server, "/seen", 0).json()
    return numbers


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest,
    server: Program,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """A proxy's port."""
    words, command = PROXIES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    port, upstream = free_port(), server.port
    file = folder / "conf"
    file.write_text(words.format(folder=folder, port=port, upstream=upstream))
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command(file, folder), stdout=said, stderr=said)
        try:
            assert until(lambda: answers(port), PATIENCE_S), (folder / "said").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def said_to(port: int, content: bytes) -> bytes:
    """Send this, and read until the proxy closes; it closes what it waits for in vain."""
    said = b""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    with sock, contextlib.suppress(ConnectionError):
        sock.sendall(content)
        while part := sock.recv(1 << 16):
            said += part
    return said


_fresh = itertools.count(1000)


def last_request(number: int) -> bytes:
    body = b"%d" % number
    head = LINE + b"Host: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


def answers_in(said: bytes) -> list[float]:
    """Return the numbers among the responses' bodies."""
    found = []
    for response in said.split(b"HTTP/1.")[1:]:
        head, _, body = response.partition(b"\r\n\r\n")
        if head[2:5] == b"200" and b"application/json" in head:
            text = body.decode()
            with contextlib.suppress(ValueError):  # not a model's
                found.append(float(text))
    return found


def doubled(numbers: list[float]) -> list[float]:
    return sorted(2 * number for number in numbers)


def assert_neighbours_get_their_own(port: int) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        for _ in range(3):
            number = next(_fresh)
            assert client.post("/predict", json=number).json() == 2 * number


@pytest.mark.parametrize("name", ODD)
def test_what_is_legal_arrives_once(server: Program, proxy: int, name: str) -> None:
    seen(server)
    number = next(_fresh)
    said = said_to(proxy, ODD[name] + last_request(number))
    arrived = seen(server)
    assert sorted(answers_in(said)) == doubled(arrived), said
    assert arrived or said.startswith(b"HTTP/1.1 400 "), "the proxy may be stricter than we are"
    assert not set(arrived) - {21, number}
    assert len(arrived) == len(set(arrived)), "a request arrived twice"
    assert_neighbours_get_their_own(proxy)


@pytest.mark.parametrize("name", SMUGGLING)
def test_what_could_be_read_in_two_ways_smuggles_nothing(
    server: Program, proxy: int, name: str
) -> None:
    seen(server)
    number = next(_fresh)
    said = said_to(proxy, SMUGGLING[name].sent + last_request(number))
    arrived = seen(server)
    assert sorted(answers_in(said)) == doubled(arrived), said
    assert len(arrived) == len(set(arrived)), "a request arrived twice"
    assert_neighbours_get_their_own(proxy)


def test_many_clients_through_few_connections_get_their_own_answers(
    server: Program, proxy: int
) -> None:
    wrong: list[Any] = []

    def ask() -> None:
        with httpx2.Client(base_url=f"http://127.0.0.1:{proxy}", timeout=PATIENCE_S) as client:
            for _ in range(25):
                number = next(_fresh)
                said = client.post("/predict", json=number)
                if said.status_code != 200 or said.json() != 2 * number:
                    wrong.append((number, said.status_code, said.text))

    seen(server)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    arrived = seen(server)
    assert len(arrived) == len(set(arrived)) == 8 * 25


def test_connections_to_us_are_used_again(server: Program, proxy: int) -> None:
    def connections() -> set[int]:
        """Return the ports from which the proxy has connected to us."""
        found = [each for child in server.children for each in child.net_connections("tcp")]
        mine = [each for each in found if each.laddr[1] == server.port]
        return {each.raddr[1] for each in mine if each.status == psutil.CONN_ESTABLISHED}

    assert_neighbours_get_their_own(proxy)
    known = connections()
    assert_neighbours_get_their_own(proxy)
    assert known
    assert connections() <= known, "it came by a new connection"


def test_a_megabyte_in_chunks_arrives_whole(server: Program, proxy: int) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(16):
            yield b"x" * (64 << 10)

    with httpx2.Client(base_url=f"http://127.0.0.1:{proxy}", timeout=PATIENCE_S) as client:
        media = {"content-type": "application/octet-stream"}
        for _ in range(3):
            assert client.post("/size", content=parts(), headers=media).json() == 1 << 20
            assert client.post("/predict", json=1).json() == 2


def test_what_a_proxy_says_of_others_changes_nothing(server: Program, proxy: int) -> None:
    lies = {"x-forwarded-for": "6.6.6.6", "forwarded": "for=6.6.6.6;host=evil", "x-real-ip": "6"}
    url = f"http://127.0.0.1:{proxy}"
    told = httpx2.post(f"{url}/who", json=1, headers=lies, timeout=PATIENCE_S).json()
    assert told["client"].startswith("127.0.0.1:")
    assert told["host"] == f"127.0.0.1:{proxy}"
