"""Jobs that code submits, from every kind of code there is, on real servers."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.e2e.job_asking import beside, ended, result, shown, submit
from tests.e2e.serving import PATIENCE_S, Program, ask, program, served, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]  # many processes are started

STOPPED_S = 0.5
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Program]:
    """A server whose deployments submit jobs."""
    with served("job_hooks.py", f"--jobs-file={tmp_path / 'jobs.sqlite3'}") as server:
        yield server


# --- from hooks ----------------------------------------------------------------------------

HOOKS = ("/sync", "/thread", "/loop", "/async", "/async-thread", "/threads")
VIEWS = ("/plain", "/api/sync", "/api/async")


def test_code_of_every_kind_submits_a_job(hooks: Program) -> None:
    jobs: dict[str, str] = {}
    for route in HOOKS:
        answer = ask(hooks, route, 21)
        assert answer.status_code == 200, f"{route}: {answer.text}"
        jobs[route] = answer.json()
    for path in VIEWS:
        answer = httpx2.get(f"{hooks.url}{path}", params={"value": 21}, timeout=PATIENCE_S)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        jobs[path] = answer.text.strip('"')
    jobs["/stream"] = ask(hooks, "/stream", 21, headers={"accept": "text/plain"}).text
    jobs["a job"] = result(hooks, submit(hooks, "submits_another", 21)["id"])
    assert len(set(jobs.values())) == len(jobs)
    assert {name: result(hooks, job) for name, job in jobs.items()} == dict.fromkeys(jobs, 42)


# --- functions -----------------------------------------------------------------------------


def test_functions_of_every_kind_run_and_know_whose_job_they_are(hooks: Program) -> None:
    assert result(hooks, submit(hooks, "double", 3)["id"]) == 6
    assert result(hooks, submit(hooks, "double_later", 3)["id"]) == 6
    for function in ("count", "count_later"):
        job = submit(hooks, function, 4)["id"]
        assert ended(hooks, job)["status"] == "succeeded"
        answer = httpx2.get(f"{hooks.url}/-/jobs/{job}/result", timeout=PATIENCE_S)
        assert [line for line in answer.text.split() if line] == ["0", "1", "2", "3"]
    whose = submit(hooks, "whose")
    assert result(hooks, whose["id"]) == [whose["id"], 1]
    assert whose["url"].endswith(whose["id"])
    assert httpx2.get(hooks.url + whose["url"], timeout=PATIENCE_S).status_code == 200


def test_what_a_job_is_said_to_be_holds(hooks: Program) -> None:
    told = ended(hooks, submit(hooks, "fails", "a secret")["id"])
    assert (told["status"], told["attempt"]) == ("failed", 2)
    assert "fails raised RuntimeError" in told["error"]["detail"]
    assert "secret" not in str(told)

    first = submit(hooks, "double", 1, key="order-7")
    again = submit(hooks, "double", 1, key="order-7")
    assert (again["id"], first["is_new"], again["is_new"]) == (first["id"], True, False)
    body = {"function": "double", "arguments": [2], "options": {"key": "order-7"}}
    assert ask(hooks, "/submit", body).status_code == 500  # the hook's own affair, and in the log
    hooks.wait_for_line("KeyReused")

    began = time.monotonic()
    job = submit(hooks, "double", 1, delay_s=1.0)["id"]
    assert shown(hooks, job)["status"] == "queued"
    assert result(hooks, job) == 2
    assert time.monotonic() - began >= 1.0


# --- stopping ------------------------------------------------------------------------------


def test_canceling_stops_the_work_of_a_running_job_at_once(hooks: Program, tmp_path: Path) -> None:
    for function, arguments in (("sleeps", [60.0]), ("spins", []), ("waits", [])):
        note = tmp_path / function
        job = submit(hooks, function, *arguments, str(note))["id"]
        wait_for(partial(_says, note, "runs"), f"{function} runs", 3 * PATIENCE_S)
        began = time.monotonic()
        httpx2.post(f"{hooks.url}/-/jobs/{job}/cancel", timeout=PATIENCE_S)
        wait_for(partial(_says, note, "cancelled"), f"{function} was stopped")
        took_s = time.monotonic() - began
        assert took_s < STOPPED_S, function
        assert ended(hooks, job)["status"] == "canceled"


def test_an_attempt_that_takes_too_long_is_stopped(hooks: Program, tmp_path: Path) -> None:
    note = tmp_path / "note"
    options = {"timeout_s": 0.5, "max_attempts": 1}
    told = ended(hooks, submit(hooks, "sleeps", 60.0, str(note), **options)["id"])
    assert told["status"] == "failed"
    assert _says(note, "cancelled")


def _says(note: Path, words: str) -> bool:
    return note.exists() and note.read_text() == words


# --- what can come to nothing --------------------------------------------------------------


def test_what_no_model_would_take_is_refused_before_it_is_written_down(hooks: Program) -> None:
    later = {"prefer": "respond-async"}
    assert ask(hooks, "/typed", {"a": 1}).status_code == 200  # a replica is ready from here on
    for body, path in (({"a": "one"}, "$.a"), ({"b": "x"}, "$")):
        answer = ask(hooks, "/typed", body, headers=later)
        assert (answer.status_code, answer.json().get("path")) == (422, path), answer.text
    answer = httpx2.post(
        f"{hooks.url}/typed", content=b"{", headers={**later, "content-type": "application/json"}
    )
    assert answer.status_code == 400
    good = ask(hooks, "/typed", {"a": 2}, headers=later)
    assert good.status_code == 202
    assert result(hooks, good.json()["id"]) == "xx"


# --- plain applications --------------------------------------------------------------------


@pytest.fixture
def flask(tmp_path: Path) -> Iterator[Program]:
    flags = (f"--jobs-file={tmp_path / 'jobs.sqlite3'}", "--workers=2", "--threads=4")
    with served("job_flask.py", *flags) as server:
        yield server


def schedule(server: Program, number: int, **words: Any) -> dict[str, Any]:
    params = {"number": number, **words}
    answer = httpx2.post(f"{server.url}/schedule", params=params, timeout=4 * PATIENCE_S)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_flask_view_answers_at_once_and_the_job_runs_behind_it(flask: Program) -> None:
    job = schedule(flask, 12, seconds=0.5)
    assert job["url"] == f"/-/jobs/{job['id']}"
    assert shown(flask, job["id"])["status"] in ("queued", "running")
    assert result(flask, job["id"]) == 144
    waited = httpx2.get(f"{flask.url}{job['url']}", params={"wait": 5}, timeout=PATIENCE_S)
    assert waited.json()["status"] == "succeeded"


def test_an_application_keeps_every_path_but_ours(flask: Program) -> None:
    assert httpx2.get(f"{flask.url}/jobs", timeout=PATIENCE_S).text == "the application's own"
    assert httpx2.get(f"{flask.url}/-/submit", timeout=PATIENCE_S).status_code == 404
    assert httpx2.post(f"{flask.url}/-/submit", timeout=PATIENCE_S).status_code == 404
    unknown = httpx2.get(f"{flask.url}/-/jobs/nothing", timeout=PATIENCE_S)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_job")


def test_a_view_hears_at_once_of_arguments_that_are_no_data(flask: Program) -> None:
    told = httpx2.post(f"{flask.url}/wrong", timeout=PATIENCE_S).json()
    assert told["error"] == "NotData"
    assert "$.number" in told["words"]


def test_the_events_of_a_job_are_told_through_an_app_worker(flask: Program) -> None:
    job = schedule(flask, 3, seconds=0.3)
    with httpx2.stream("GET", f"{flask.url}{job['url']}/events", timeout=PATIENCE_S) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    assert "running" in text
    assert "succeeded" in text


def test_both_kinds_of_fastapi_views_submit_jobs(tmp_path: Path) -> None:
    with served("job_fastapi.py", f"--jobs-file={tmp_path / 'jobs.sqlite3'}") as server:
        for path in ("/sync", "/async"):
            job = httpx2.post(f"{server.url}{path}", params={"value": 5}, timeout=PATIENCE_S)
            assert job.status_code == 200, job.text
            assert result(server, job.json()["id"]) == 15


def test_functions_alone_are_a_target(tmp_path: Path) -> None:
    with served("job_functions.py", f"--jobs-file={tmp_path / 'jobs.sqlite3'}") as server:
        assert httpx2.get(f"{server.url}/-/jobs", timeout=PATIENCE_S).json()["jobs"] == []


def test_an_application_without_jobs_has_no_engine_worker(tmp_path: Path) -> None:
    with served(str(EXAMPLES / "flask_app.py")) as server:
        children = psutil.Process(server.process.pid).children()
        assert len([each for each in children if "headrace.worker" in each.cmdline()]) == 1
        assert httpx2.get(f"{server.url}/-/jobs", timeout=PATIENCE_S).status_code == 404


def test_whoever_submits_while_the_engine_worker_is_killed_waits_for_the_next(
    flask: Program,
) -> None:
    before = schedule(flask, 2, seconds=1.0)
    beside(flask).send_signal(signal.SIGKILL)
    after = schedule(flask, 3)
    assert result(flask, after["id"]) == 9
    assert result(flask, before["id"]) == 4


def test_the_same_key_through_a_kill_is_one_job(flask: Program) -> None:
    first = schedule(flask, 5, key="order-7")
    beside(flask).send_signal(signal.SIGKILL)
    again = schedule(flask, 5, key="order-7")
    assert (again["id"], again["is_new"]) == (first["id"], False)


def test_a_stop_writes_down_what_is_submitted_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite3"
    taken: list[dict[str, Any]] = []
    refused: list[Exception] = []
    with served("job_flask.py", f"--jobs-file={file}", "--threads=4") as server:

        def keep_submitting() -> None:
            try:
                while True:
                    taken.append(schedule(server, len(taken)))
            except (httpx2.HTTPError, AssertionError) as error:
                refused.append(error)

        thread = threading.Thread(target=keep_submitting)
        thread.start()
        wait_for(lambda: len(taken) > 10, "some jobs are taken")
        server.signal(signal.SIGTERM)
        assert server.exit_code(4 * PATIENCE_S) == 0
        thread.join(PATIENCE_S)
    assert refused
    with served("job_flask.py", f"--jobs-file={file}") as server:
        for number, job in enumerate(taken):
            assert result(server, job["id"]) == number**2


BEFORE = """
from flask import Flask
import headrace as hr
app = Flask(__name__)

@hr.job
def work(value: int) -> int:
    return value + 2

@app.post("/work")
def schedule():
    return hr.submit(work, 10).id
"""
AFTER = (
    BEFORE.replace("+", "*")
    + """
@hr.job
def other(value: int) -> int:
    return -value

@app.post("/other")
def schedule_other():
    return hr.submit(other, 10).id
"""
)


def test_a_reload_brings_new_code_to_views_and_jobs_and_refuses_nobody(tmp_path: Path) -> None:
    target = tmp_path / "app.py"
    target.write_text(BEFORE)
    flags = (f"--jobs-file={tmp_path / 'jobs.sqlite3'}", "--workers=2")
    with served(str(target), *flags) as server:

        def answer(path: str) -> Any:
            job = httpx2.post(f"{server.url}/{path}", timeout=PATIENCE_S)
            if job.status_code == 404:  # an old worker
                return None
            assert job.status_code == 200, job.text
            return result(server, job.text)

        assert answer("work") == 12
        target.write_text(AFTER)
        server.signal(signal.SIGHUP)
        wait_for(lambda: answer("work") == 20, "the new code runs", 6 * PATIENCE_S)
        wait_for(lambda: answer("other") == -10, "the new view is there", 6 * PATIENCE_S)


def test_a_mistake_in_a_job_is_told_at_the_start(tmp_path: Path) -> None:
    target = tmp_path / "app.py"
    target.write_text(
        "import headrace as hr\n"
        "class Odd: ...\n"
        "@hr.job\n"
        "def core(value: Odd): ...\n"
        "class Hello(hr.Model):\n"
        "    def predict(self, x): ...\n"
    )
    with program("-m", "headrace", "serve", str(target), "--port=0") as server:
        assert server.exit_code(3 * PATIENCE_S) == 2
    assert "core" in server.terminal
    assert "Odd" in server.terminal


def test_switched_off_there_is_nobody_to_write_a_job_down(tmp_path: Path) -> None:
    with served("job_flask.py", "--no-jobs") as server:
        answer = httpx2.post(f"{server.url}/schedule", params={"number": 1}, timeout=PATIENCE_S)
        assert answer.status_code == 500
        server.wait_for_line("NoLine")


def test_the_program_that_started_a_server_submits_jobs_to_it(tmp_path: Path) -> None:
    with program("job_program.py", str(tmp_path / "jobs.sqlite3")) as running:
        assert running.exit_code(8 * PATIENCE_S) == 0, running.terminal
    said = [line for line in running.lines if line.startswith(("half", "hello", "refused"))]
    assert said[:3] == ["half: 1.5", "half: 4.0", "hello: Hello, Ada!"]
    assert "/nowhere" in said[3]
