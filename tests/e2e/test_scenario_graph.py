"""HTTP for a graph of deployments: the idioms people bring along, with stock clients."""

from __future__ import annotations

import os
import signal
import socket as sockets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.graphs import curl, get, graph, socket
from tests.e2e.serving import PATIENCE_S, Program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with graph("graph_http.py") as started:
        yield started


@pytest.fixture(scope="module")
def views() -> Iterator[Program]:
    with graph("graph_views.py") as started:
        yield started


def leave_in_the_midst(server: Program, path: str, parts: int) -> None:
    """Read some parts of a stream, then go."""
    with httpx2.stream("GET", server.url + path, timeout=PATIENCE_S) as response:
        assert response.status_code == 200
        pieces = response.iter_raw()
        for _ in range(parts):
            assert next(pieces)


# --- plain classes and functions --------------------------------------------------------------


def test_query_parameters_are_echoed_as_they_are(server: Program) -> None:
    answer = get(server, "/query?a=1&b=two")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"a": "1", "b": "two"}
    assert curl(f"{server.url}/query?by=curl") == '{"by":"curl"}'
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert get(server, "/query/any/path/below?x=y", method).json() == {"x": "y"}


def test_a_function_may_take_nothing_and_its_text_is_text(server: Program) -> None:
    answer = get(server, "/nothing")
    assert (answer.text, answer.headers["content-type"]) == (
        "it takes nothing",
        "text/plain; charset=utf-8",
    )
    assert answer.headers["x-request-id"]
    named = get(server, "/nothing", headers={"x-request-id": "mine"})
    assert named.headers["x-request-id"] == "mine"


def test_ten_pieces_of_text_arrive_each_as_it_is_made(server: Program) -> None:
    came: list[tuple[str, float]] = []
    with httpx2.stream("GET", f"{server.url}/stream?max=10", timeout=PATIENCE_S) as response:
        assert response.headers["content-type"].startswith("text/plain")
        came.extend((piece, time.monotonic()) for piece in response.iter_text())
    assert [piece for piece, _ in came] == [str(number) for number in range(10)]
    assert came[-1][1] - came[0][1] > 0.5, "they came together"  # nine sleeps of 0.1 s
    with subprocess.Popen(
        ["curl", "-sN", f"{server.url}/stream?max=3"],  # noqa: S607 - Debian's
        stdout=subprocess.PIPE,
    ) as by_curl:
        assert by_curl.stdout is not None
        assert os.read(by_curl.stdout.fileno(), 100)[:1] == b"0"
        assert by_curl.poll() is None, "the first piece came with the last"
        assert by_curl.stdout.read().endswith(b"2")


def test_an_endless_generator_is_cancelled_when_its_client_leaves(server: Program) -> None:
    leave_in_the_midst(server, "/endless", 3)
    server.wait_for_line("[endless/1] cancelled after")


def test_a_request_that_waits_is_cancelled_when_its_client_leaves(server: Program) -> None:
    before = server.terminal.count("the request was cancelled")
    with sockets.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"GET /cancelled HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting = server.terminal.count("it waits\n")
        wait_for(lambda: server.terminal.count("it waits") > waiting, "the handler to begin")
    wait_for(
        lambda: server.terminal.count("the request was cancelled") > before, "its cancellation", 1.5
    )  # its time-out is later


def test_a_request_that_waits_is_cancelled_when_its_time_is_over(server: Program) -> None:
    before = server.terminal.count("the request was cancelled")
    answer = get(server, "/cancelled", headers={"x-request-timeout-seconds": "0.3"})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    wait_for(lambda: server.terminal.count("the request was cancelled") > before, "it to be told")
    began = time.monotonic()
    assert get(server, "/cancelled").status_code == 504  # its own `timeout_s`
    assert time.monotonic() - began >= 1.9
    assert get(server, "/query").status_code == 200


def test_a_shielded_piece_lives_on(server: Program) -> None:
    before = server.terminal.count("the piece has ended")
    answer = get(server, "/shielded", headers={"x-request-timeout-seconds": "0.2"})
    assert answer.status_code == 504
    wait_for(lambda: server.terminal.count("the piece has ended") > before, "its end")


@pytest.mark.parametrize(
    ("in_file", "in_environment", "shorter_s", "longer_s"), [(30, 1, 1, 10), (1, None, 1, 10)]
)
def test_keep_alive_is_as_the_environment_says_else_the_file(
    tmp_path: Path,
    in_file: int,
    in_environment: int | None,
    shorter_s: float,
    longer_s: float,
) -> None:
    file = tmp_path / "headrace.toml"
    file.write_text(f"[server]\nkeep_alive_timeout_s = {in_file}\n")
    env = {} if in_environment is None else {"HEADRACE_KEEP_ALIVE_TIMEOUT_S": str(in_environment)}
    with (
        graph("hello.py", "-c", str(file), env=env) as server,
        sockets.create_connection(("127.0.0.1", server.port)) as line,
    ):
        line.sendall(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n")
        line.settimeout(longer_s)
        answered = time.monotonic()
        while line.recv(1 << 16):
            answered = time.monotonic()
        assert shorter_s * 0.5 <= time.monotonic() - answered <= longer_s


# --- applications -----------------------------------------------------------------------------


def test_methods_are_routes_under_a_prefix(views: Program) -> None:
    assert get(views, "/hello/").json() == "Hello, world!"
    assert get(views, "/hello/deep", "POST").json() == "Hello from deep, calm!"
    assert get(views, "/hello/deep?tone=loud", "POST").json() == "Hello from deep, loud!"
    answer = get(views, "/hello/who/Ada", headers={"x-token": "abc"})
    assert answer.json() == {"greeting": "Hello", "name": "Ada", "token": "abc"}
    assert answer.headers["x-served-by"] == "fastapi"
    assert get(views, "/hello/who/Ada", "DELETE").status_code == 405
    assert get(views, "/hello/no/such/thing/here").json() == {"detail": "Not Found"}


def test_its_docs_know_the_prefix_and_no_self(views: Program) -> None:
    page = get(views, "/hello/docs")
    assert "/hello/openapi.json" in page.text
    told = get(views, "/hello/openapi.json").json()
    assert told["servers"] == [{"url": "/hello"}]
    assert set(told["paths"]) == {"/", "/{subpath}", "/who/{name}"}
    taken = [each["name"] for each in told["paths"]["/{subpath}"]["post"]["parameters"]]
    assert taken == ["subpath", "tone"]


def test_an_existing_application_is_scaled_behind_a_class_without_methods(views: Program) -> None:
    assert get(views, "/scaled/f").json() == "an existing application"
    told = get(views, "/-/health").json()["deployments"]["scaled"]
    assert len(told["replicas"]) == 2


def test_nothing_is_where_no_prefix_leads(views: Program) -> None:
    answer = get(views, "/helloworld")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "/hello" in answer.json()["detail"]
    assert get(views, "/-/health").status_code == 200


def test_a_websocket_echoes_until_its_client_disconnects(views: Program) -> None:
    with socket(views, "/ws/") as line:
        for word in ("one", "two", "three \N{SNOWMAN}"):
            line.send(word)
            assert line.recv(timeout=PATIENCE_S) == word
        assert "the client has gone" not in views.terminal
    views.wait_for_line("[echo/1] the client has gone")


def test_the_server_ends_cleanly_with_all_of_them() -> None:
    with graph("graph_http.py") as started:
        leave_in_the_midst(started, "/endless", 1)
        started.signal(signal.SIGTERM)
        assert started.exit_code() == 0
    assert "Traceback" not in started.terminal
