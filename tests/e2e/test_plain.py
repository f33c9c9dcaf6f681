"""Plain applications under `headrace serve`: several workers, logs, stops, starts that fail."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.e2e.serving import PATIENCE_S, program, served, wait_for
from tests.support.waiting import until

pytestmark = pytest.mark.e2e
APP = "plain_wsgi.py"


def ask(url: str, path: str = "/") -> httpx2.Response:
    return httpx2.get(url + path, timeout=2 * PATIENCE_S)


def test_several_workers_answer_side_by_side_and_a_stop_finishes_what_runs() -> None:
    with served(APP, "--workers=2", "--threads=4") as server, ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(ask, server.url, "/sleep/1") for _ in range(8)]
        assert len({answer.result().text for answer in slow}) == 2  # eight at once need both
        last = [pool.submit(ask, server.url, "/sleep/1.5") for _ in range(4)]
        assert not until(lambda: any(each.done() for each in last), 0.7)  # all have arrived
        server.signal(signal.SIGTERM)
        assert [each.result().status_code for each in last] == [200] * 4
        assert server.exit_code() == 0
        assert "Traceback" not in server.terminal


def test_a_failing_request_is_in_the_error_log_and_forges_nothing(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    with served(APP, f"--error-log={log}") as server:
        told = ask(server.url, "/boom")
        assert (told.status_code, told.json()["code"]) == (500, "application_failed")
        wait_for(lambda: "as asked" in log.read_text(), "the record")
        text = log.read_text()
        assert told.headers["x-request-id"] in text
        assert not [line for line in text.splitlines() if line.startswith("12:00:00")]


def test_access_lines_of_all_workers_are_whole_and_go_on_after_a_rotation(tmp_path: Path) -> None:
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    flags = ("--workers=2", "--threads=2", f"--access-log={log}", "--access-log-format=json")
    with served(APP, *flags) as server, ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: ask(server.url), range(100)):
            pass
        wait_for(lambda: len(log.read_text().splitlines()) == 100, "a line for each")
        log.rename(old)
        server.signal(signal.SIGUSR1)
        wait_for(log.exists, "the new file")
        ask(server.url, "/after")
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    lines = [json.loads(line) for path in (old, log) for line in path.read_text().splitlines()]
    assert len(lines) == 101
    assert len({line["request_id"] for line in lines}) == 101
    assert {line["status"] for line in lines} == {200}


def test_models_have_an_access_log_too(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    example = Path(__file__).parents[2] / "examples" / "hello.py"
    with served(str(example), f"--access-log={log}", "--access-log-format=%(r)s %(s)s") as server:
        httpx2.post(f"{server.url}/predict", json="Ada", timeout=PATIENCE_S)
        httpx2.get(f"{server.url}/predict", timeout=PATIENCE_S)
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    assert log.read_text().splitlines() == [
        "POST /predict HTTP/1.1 200",
        "GET /predict HTTP/1.1 405",
    ]


def test_a_start_up_that_fails_ends_with_exit_code_3_and_the_reason() -> None:
    with program("-m", "headrace", "serve", "plain_broken.py", "--port=0") as server:
        assert server.exit_code(4 * PATIENCE_S) == 3
        assert "could not start: FileNotFoundError: there is no weights.bin" in server.terminal
        assert "in app" in server.terminal


def test_a_wrong_format_is_told_before_anything_is_served() -> None:
    flags = ("--access-log=-", "--access-log-format=%(Z)s")
    with program("-m", "headrace", "serve", APP, "--port=0", *flags) as server:
        assert server.exit_code(4 * PATIENCE_S) == 2
        assert "'%(Z)s' in '%(Z)s' is no atom" in server.terminal
