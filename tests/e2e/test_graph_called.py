"""What the code of an application calls: plain classes and functions, by handles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx2
import pytest

from tests.e2e.graphs import get, graph
from tests.e2e.serving import PATIENCE_S, Program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with graph("graph_called.py:graph") as started:
        yield started


def test_objects_are_made_with_what_they_were_bound_to_and_called(server: Program) -> None:
    assert get(server, "/call").json() == [6, 16, 116]  # one after the other: it has one slot
    assert get(server, "/loudly").text == "HELLO!"  # a sync method that calls a function


def test_generators_stream_to_their_caller(server: Program) -> None:
    assert get(server, "/items").json() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("method", "kind", "words"),
    [
        ("fails", "KeyError", "'nowhere'"),
        ("nothing", "NoMethod", "Counter has no method nothing for others to call"),
        ("item", "NoMethod", "did you mean `items`?"),
        ("teardown", "NoMethod", "Counter has no method teardown for others to call"),
    ],
)
def test_exceptions_come_back_as_their_own_kind(
    server: Program, method: str, kind: str, words: str
) -> None:
    name, said = get(server, f"/{method}").json()
    assert name == kind
    assert words in said


def test_cancelling_reaches_coroutines_threads_and_streams(server: Program) -> None:
    for path, line in (
        ("/waits", "[slow/1] the callee was cancelled"),
        ("/sleeps", "[counter/1] the thread heard of it"),
    ):
        with contextlib.suppress(httpx2.TimeoutException):
            httpx2.get(server.url + path, timeout=0.5)
        server.wait_for_line(line)
    with httpx2.stream("GET", f"{server.url}/streams", timeout=PATIENCE_S) as response:
        assert next(response.iter_text()).startswith("tick ")
    server.wait_for_line("[slow/1] the ticking has stopped")
