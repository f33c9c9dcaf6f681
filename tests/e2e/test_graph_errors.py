"""What a view raises on purpose, or a callee did, reaches the client with its own status."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.e2e.serving import PATIENCE_S, Program, program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with program("-m", "headrace", "serve", "graph_errors.py", "--port=0") as started:
        started.wait_for_line(" at http", within_s=3 * PATIENCE_S)  # each process imports FastAPI
        yield started


def get(server: Program, path: str) -> httpx2.Response:
    return httpx2.get(server.url + path, timeout=PATIENCE_S)


def test_an_http_error_of_a_view_is_its_answer(server: Program) -> None:
    said = get(server, "/own")
    assert said.headers["content-type"] == "application/problem+json"
    assert (said.status_code, said.json()["detail"]) == (402, "pay first")
    assert said.json()["request_id"] == said.headers["x-request-id"]


def test_an_http_error_of_a_callee_is_the_view_s(server: Program) -> None:
    said = get(server, "/callee")
    assert (said.status_code, said.json()["detail"]) == (409, "ada is taken")
    assert said.headers["x-hint"] == "another name"


def test_a_callee_that_is_late_is_a_504(server: Program) -> None:
    said = get(server, "/late")
    assert (said.status_code, said.json()["code"]) == (504, "deadline_exceeded")


def test_an_application_s_own_handler_comes_first(server: Program) -> None:
    said = get(server, "/handled")
    assert (said.status_code, said.json()) == (418, {"own": "409 taken"})


def test_a_bug_is_the_framework_s_500_and_its_words_stay_in_the_log(server: Program) -> None:
    said = get(server, "/bug")
    assert said.status_code == 500
    assert "secret" not in said.text
    server.wait_for_line("ValueError: a secret")
