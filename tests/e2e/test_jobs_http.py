"""A request that goes on as a job, on a real server, asked by what people have at hand."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.client.records import Event
from headrace.core.jobs import Status
from headrace.errors import JobFailed
from headrace.interfaces import Progress
from tests.e2e.serving import PATIENCE_S, Program, served, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
LONG_S = 3 * PATIENCE_S
LATER = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    file = tmp_path_factory.mktemp("jobs") / "jobs.sqlite3"
    with served("jobs_http.py", f"--jobs-file={file}") as started:
        yield started


@pytest.fixture
def client(server: Program) -> Iterator[hr.JobsClient]:
    with hr.JobsClient(server.url) as opened:
        yield opened


def curl(*words: str) -> str:
    """Run curl as a reader of the docs does."""
    command = shutil.which("curl")
    if command is None:
        pytest.skip("there is no curl")
    asked = [command, "-sS", "-N", "--max-time", f"{LONG_S:g}", *words]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


def test_curl_is_all_one_needs(server: Program) -> None:
    body = json.dumps({"name": "a", "steps": 3, "step_s": 0.05})
    said = curl("-i", f"{server.url}/work", "--json", body, "-H", "Prefer: respond-async")
    head, _, told = said.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 202 Accepted")
    job = json.loads(told)
    assert f"location: {job['urls']['self']}" in head.lower()
    events = curl(f"{server.url}{job['urls']['events']}")
    assert 'data: {"status":"succeeded"' in events
    assert "event: progress" in events
    assert json.loads(curl(f"{server.url}{job['urls']['result']}"))["steps"] == 3
    shown = json.loads(curl(f"{server.url}{job['urls']['self']}?wait=5"))
    assert (shown["status"], shown["progress"]["note"]) == ("succeeded", "done")
    waited = curl(
        f"{server.url}/work", "--json", body, "-H", f"Prefer: respond-async, wait={LONG_S:g}"
    )
    assert json.loads(waited) == {"name": "a", "steps": 3, "attempt": 1}


def test_a_large_body_comes_and_goes(
    server: Program, client: hr.JobsClient, tmp_path: Path
) -> None:
    body = os.urandom(3 << 20)
    job = client.submit("/measure", content=body)
    assert client.result(job.id, LONG_S) == body[::-1]
    file = tmp_path / "body"
    file.write_bytes(body)
    words = ["-H", "Prefer: respond-async", "-H", "Expect: 100-continue", "-H", "Content-Type:"]
    told = json.loads(curl(f"{server.url}/measure", "--data-binary", f"@{file}", *words))
    assert client.result(told["id"], LONG_S) == body[::-1]


def test_a_request_to_an_application_goes_on_with_all_it_had(server: Program) -> None:
    answer = httpx2.put(
        f"{server.url}/page/a/b?x=1", content=b"text", headers={**LATER, "X-Mine": "so"}
    )
    assert answer.status_code == 202
    url = f"{server.url}{answer.json()['urls']['self']}"
    assert httpx2.get(f"{url}?wait=20", timeout=LONG_S).json()["status"] == "succeeded"
    told = httpx2.get(f"{url}/result").json()
    assert told == {"method": "PUT", "path": "/page/a/b", "x": "1", "mine": "so", "body": "text"}


def test_items_are_events_and_the_result_is_all_of_them(client: hr.JobsClient) -> None:
    job = client.submit("/spell", "abc", headers={"Accept": "application/x-ndjson"})
    items = [event.data for event in client.events(job.id) if event.kind == "item"]
    assert items == [{"letter": "a"}, {"letter": "b"}, {"letter": "c"}]
    lines = client.response(job.id).content.decode().splitlines()
    assert [json.loads(line) for line in lines] == items


def test_a_job_that_fails_tells_its_problem(client: hr.JobsClient) -> None:
    job = client.submit("/work", {"name": "fault"})
    with pytest.raises(JobFailed, match="never again"):
        client.result(job.id, LONG_S)
    wrong = client.submit("/work", {"name": "a"}, max_attempts=1)
    assert client.result(wrong.id, LONG_S)["attempt"] == 1
    assert client.retry(job.id).status in (Status.QUEUED, Status.RUNNING)
    assert client.wait(job.id, LONG_S).attempt == 2


def test_what_can_never_be_run_is_refused_at_once(server: Program) -> None:
    refused = httpx2.post(f"{server.url}/work", json={"name": 1}, headers=LATER)
    assert refused.status_code == 422
    assert refused.json()["path"] == "$.name"


def test_a_running_job_is_stopped(client: hr.JobsClient) -> None:
    job = client.submit("/work", {"name": "a", "steps": 1, "step_s": 600})
    wait_for(lambda: client.get(job.id).status is Status.RUNNING, "it to run", LONG_S)
    assert client.cancel(job.id).status in (Status.CANCELING, Status.CANCELED)
    ended = client.wait(job.id, LONG_S)
    assert (ended.status, ended.cause) == (Status.CANCELED, "asked")
    assert client.get(job.id).attempt == 1


def test_it_is_followed_over_a_connection_that_breaks(
    server: Program, client: hr.JobsClient
) -> None:
    job = client.submit("/work", {"name": "a", "steps": 20, "step_s": 0.05})
    first: list[int] = []
    with httpx2.stream("GET", f"{server.url}/jobs/{job.id}/events", timeout=LONG_S) as response:
        for line in response.iter_lines():
            if line.startswith("id: "):
                first.append(int(line[4:]))
            if len(first) == 4:
                break
    rest = [event.number for event in client.events(job.id, after=first[-1])]
    assert first + rest == list(range(1, rest[-1] + 1))
    over = httpx2.get(
        f"{server.url}/jobs/{job.id}/events", headers={"Last-Event-ID": str(rest[-1])}
    )
    assert over.status_code == 204


def headrace(server: Program, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headrace", "jobs", *words]
    env = {**os.environ, "HEADRACE_CLIENT_URL": server.url}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=60)


def gated(client: hr.JobsClient, gate: Path) -> str:
    """Submit a job of eight steps that waits after its second one."""
    gate.write_text("2")
    return client.submit("/work", {"name": "a", "steps": 8, "gate": str(gate)}).id


def test_the_command_line_tells_of_each_change(
    server: Program, client: hr.JobsClient, tmp_path: Path
) -> None:
    job = gated(client, tmp_path / "gate")
    command = [sys.executable, "-m", "headrace", "jobs", "wait", job, "--url", server.url]
    lines: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        for line in waiting.stderr:
            lines.append(line.rstrip())
            if "2 of 8" in line:
                (tmp_path / "gate").write_text("8")
    assert waiting.returncode == 0
    assert f"job {job}, running, 2 of 8 (25%) step 2" in lines
    assert lines[-1] == f"job {job}, succeeded, 8 of 8 (100%) done"


def test_the_command_line_lists_shows_waits_cancels_and_retries(
    server: Program, client: hr.JobsClient
) -> None:
    job = client.submit("/work", {"name": "a", "steps": 8})
    waited = headrace(server, "wait", job.id)
    assert (waited.returncode, waited.stdout) == (0, "")
    assert waited.stderr.splitlines()[-1] == f"job {job.id}, succeeded, 8 of 8 (100%) done"
    listed = headrace(server, "list", "--status", "succeeded", "--route", "/work", "--limit", "500")
    assert job.id in listed.stdout
    assert listed.stdout.startswith("JOB")
    shown = headrace(server, "show", job.id, "--json")
    assert json.loads(shown.stdout)["id"] == job.id
    assert "100%" in headrace(server, "show", job.id).stdout

    slow = client.submit("/work", {"name": "a", "steps": 1, "step_s": 600})
    late = headrace(server, "wait", slow.id, "--timeout-s", "0.2")
    assert late.returncode == 1
    assert "after 0.2 s" in late.stderr
    canceled = headrace(server, "cancel", slow.id)
    assert canceled.returncode == 0
    ended = headrace(server, "wait", slow.id, "--json")
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (1, "canceled")
    again = headrace(server, "retry", slow.id)
    assert again.returncode == 0
    assert headrace(server, "cancel", slow.id).returncode == 0
    unknown = headrace(server, "show", "unknown")
    assert (unknown.returncode, unknown.stderr) == (1, "headrace: there is no job unknown\n")


def test_on_a_terminal_a_bar_moves(server: Program, client: hr.JobsClient, tmp_path: Path) -> None:
    job = gated(client, tmp_path / "gate")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "headrace", "jobs", "wait", job, "--url", server.url]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as waiting:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # its end was closed
            while part := os.read(ours, 4096):
                shown += part
                if b" 2/8 " in shown:
                    (tmp_path / "gate").write_text("8")
        os.close(ours)
    assert waiting.returncode == 0
    bars = [line for line in shown.decode().split("\r\x1b[2K") if line.startswith("[#")]
    assert bars[0].startswith("[##########------------------------------]  25%  2/8  ")
    assert bars[-1].startswith(f"[{'#' * 40}] 100%  8/8  ")


# --- kills -------------------------------------------------------------------------------------


@contextlib.contextmanager
def again(folder: Path, port: int = 0) -> Iterator[Program]:
    """Serve with the same file as before, and with a log of what was begun."""
    file = folder / "jobs.sqlite3"
    env = {"JOBS_LOG": str(folder / "log")}
    with served("jobs_http.py", f"--jobs-file={file}", port=port, env=env) as server:
        yield server


def test_a_client_that_submits_again_after_a_kill_has_one_job(tmp_path: Path) -> None:
    with again(tmp_path) as server:
        port = server.port
        with hr.JobsClient(server.url, patience_s=60.0) as client:
            body = {"name": "once", "steps": 1, "step_s": 0.2}
            one = client.submit("/work", body, idempotency_key="k")
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait(PATIENCE_S)
            heard: list[Event] = []
            following = threading.Thread(target=lambda: heard.extend(client.events(one.id)))
            following.start()
            with again(tmp_path, port):
                two = client.submit("/work", body, idempotency_key="k")
                assert two.id == one.id
                told = client.result(one.id, LONG_S)
                following.join(LONG_S)
                assert told["name"] == "once"
                assert len(list(client.list())) == 1
                numbers = [event.number for event in heard]
                assert numbers == list(range(1, len(numbers) + 1))
                assert heard[-1].data["status"] == "succeeded"
    begun = (tmp_path / "log").read_text().splitlines()
    assert {line.split()[1] for line in begun} == {one.id}


def test_a_server_that_stops_lets_nobody_wait_for_it(tmp_path: Path) -> None:
    with again(tmp_path) as server, hr.JobsClient(server.url, patience_s=1.0) as client:
        job = client.submit("/work", {"name": "a"}, delay_s=3600)
        answers: list[Any] = []

        def wait() -> None:
            url = f"{server.url}/jobs/{job.id}?wait=60"
            answers.append(httpx2.get(url, timeout=LONG_S).json()["status"])

        def read() -> None:
            url = f"{server.url}/jobs/{job.id}/events"
            answers.append(httpx2.get(url, timeout=LONG_S).text.count("event: state"))

        threads = [threading.Thread(target=each) for each in (wait, read)]
        for thread in threads:
            thread.start()
        kept = 1  # the client's own
        wait_for(lambda: _connections(server) >= kept + len(threads), "both to wait")
        server.signal(signal.SIGTERM)
        for thread in threads:
            thread.join(LONG_S)
        assert sorted(answers, key=str) == [1, "queued"]
        assert server.exit_code() == 0


def _connections(server: Program) -> int:
    return sum(each.status == "ESTABLISHED" for each in server.worker.net_connections("tcp"))


def test_a_progress_is_told_as_it_was_said(client: hr.JobsClient) -> None:
    job = client.submit("/work", {"name": "a", "steps": 4})
    assert client.wait(job.id, LONG_S).progress == Progress(4, 4, "done")
