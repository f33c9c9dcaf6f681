"""Models are reloaded beside those that serve: nobody is refused, and what is broken stays out."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.e2e.serving import APPS, PATIENCE_S, Program, ask, program, served, status, wait_for
from tests.e2e.trees import get

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

TARGET = "reloaded.py"
SCRIPT = """
wrk.method, wrk.body = "POST", "1"
wrk.headers["Content-Type"] = "application/json"
"""


@pytest.fixture
def version(tmp_path: Path) -> Path:
    path = tmp_path / "version"
    path.write_text("v1")
    return path


@pytest.fixture
def server(version: Path) -> Iterator[Program]:
    with served(TARGET, env={"VERSION": str(version)}) as server:
        yield server


def told(server: Program) -> str:
    """Which version answers."""
    answer = ask(server, "/tell", 1)
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0])


def info(server: Program) -> dict[str, Any]:
    known: dict[str, Any] = get(server, "/-/info").json()
    return known


def reload(server: Program) -> None:
    """Ask for it, and wait until it has ended, well or not."""
    ends = sum(
        "reload: the new code serves" in one or "reload failed" in one for one in server.lines
    )
    server.signal(signal.SIGHUP)

    def has_ended() -> bool:
        now = [
            one for one in server.lines if "the new code serves" in one or "reload failed" in one
        ]
        return len(now) > ends

    wait_for(has_ended, f"the end of the reload: {server.lines[-20:]}", 30)


def settle(server: Program) -> None:
    """Wait until nothing of an older generation is left."""
    wait_for(
        lambda: not any("beside" in said for said in status(server)["deployments"].values()),
        "the old generation to go",
    )


class Load:
    """wrk over kept-alive connections, as long as it is wanted."""

    def __init__(self, server: Program, tmp_path: Path, seconds: int) -> None:
        script = tmp_path / "post.lua"
        script.write_text(SCRIPT)
        command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--timeout=10s", "-s", str(script)]
        self.process = subprocess.Popen(
            [*command, f"{server.url}/tell"], stdout=subprocess.PIPE, text=True
        )

    def end(self) -> str:
        """Stop it; return what it says."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=20)
        return said


@pytest.mark.wrk
def test_reloads_under_load_lose_nothing(server: Program, version: Path, tmp_path: Path) -> None:
    load = Load(server, tmp_path, 60)
    try:
        for number in range(2, 6):
            version.write_text(f"v{number}")
            reload(server)
            assert told(server) == f"v{number}"
        version.write_text("broken")
        reload(server)
        assert told(server) == "v5"
        version.write_text("unfit")
        reload(server)
        assert told(server) == "v5"
        version.write_text("v6")
        reload(server)
        assert told(server) == "v6"
    finally:
        said = load.end()
    assert int(re.findall(r"(\d+) requests in", said)[0]) > 100, said
    assert not re.search("Socket errors|Non-2xx", said), said
    settle(server)
    assert info(server)["generation"]["number"] == 8
    assert "last_reload_failed" not in info(server)["generation"]


def test_a_broken_version_is_told_and_changes_nothing(server: Program, version: Path) -> None:
    version.write_text("broken")
    reload(server)
    assert "ValueError: this version is broken" in server.wait_for_line("reload failed")
    assert 'raise ValueError("this version is broken")' in server.terminal
    version.write_text("unfit")
    reload(server)
    assert "weights.bin is missing" in server.terminal
    assert "tell could not start" in info(server)["generation"]["last_reload_failed"]
    assert (told(server), info(server)["generation"]["number"]) == ("v1", 1)
    assert get(server, "/-/health/ready").status_code == 200
    settle(server)
    version.write_text("v2")
    reload(server)
    assert told(server) == "v2"


def test_a_stream_runs_over_a_reload_to_its_end(server: Program, version: Path) -> None:
    with httpx2.stream(
        "POST", f"{server.url}/stream", json={"items": 60, "every_s": 0.05}, timeout=PATIENCE_S
    ) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "v1 0"
        version.write_text("v2")
        reload(server)
        assert told(server) == "v2"
        assert status(server)["deployments"]["stream"]["beside"][0]["state"] == "leaving"
        assert list(lines) == [f"v1 {number}" for number in range(1, 60)]
    settle(server)
    server.wait_for_line("released v1")
    assert ask(server, "/stream", {"items": 1}).text == "v2 0\n"


def test_a_stream_that_outlasts_its_time_is_ended_with_a_word(version: Path) -> None:
    with (
        served(TARGET, "--reload-timeout-s=0.5", env={"VERSION": str(version)}) as server,
        httpx2.stream(
            "POST",
            f"{server.url}/stream",
            json={"items": 10_000, "every_s": 0.05},
            headers={"Accept": "text/event-stream"},
            timeout=PATIENCE_S,
        ) as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        version.write_text("v2")
        reload(server)
        rest = list(lines)
        assert "event: error" in rest
        assert "taken out of service" in rest[rest.index("event: error") + 1]
        settle(server)


def test_routes_docs_and_counters_follow(server: Program, version: Path) -> None:
    assert [ask(server, "/tell", 1).status_code for _ in range(3)] == [200] * 3
    assert "/more" not in get(server, "/-/openapi.json").json()["paths"]
    version.write_text("more")
    reload(server)
    assert ask(server, "/more", 1).json() == 2
    assert "/more" in get(server, "/-/openapi.json").json()["paths"]
    assert get(server, "/-/routes").json()["/more"] == "more"
    version.write_text("v3")
    reload(server)
    assert ask(server, "/more", 1).status_code == 404
    assert "/more" not in get(server, "/-/openapi.json").json()["paths"]
    told(server)
    settle(server)
    metrics = get(server, "/-/metrics").text
    assert 'headrace_requests_total{deployment="tell",status="200"} 4' in metrics
    assert 'headrace_call_requests_total{deployment="tell"} 4' in metrics
    assert 'headrace_replica_starts_total{deployment="tell"} 6' in metrics
    assert 'headrace_replicas_ready{deployment="tell"} 2' in metrics
    assert "@" not in metrics


def test_a_body_on_its_way_meets_the_new_code(server: Program, version: Path) -> None:
    """Small and large ones: what was announced to the old generation is answered by the new."""
    small, large = b'"one"', b'"%s"' % (b"x" * 200_000)
    for number, body in enumerate((small, large), 2):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
            head = b"POST /tell HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            client.sendall(b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body[:3]))
            version.write_text(f"v{number}")
            reload(server)
            settle(server)  # nothing is left of the one that the request was announced to
            client.sendall(body[3:])
            with client.makefile("rb") as answer:
                assert b" 200 " in answer.readline()
                while answer.readline().strip():
                    pass
                assert answer.read(4) == b'["v%d' % number


def test_nothing_grows_from_reload_to_reload(server: Program, version: Path) -> None:
    worker = psutil.Process(server.process.pid).children()[0]

    def held() -> tuple[int, int, int]:
        settle(server)
        return len(server.children), worker.num_fds(), worker.num_threads()

    reload(server)
    told(server)
    before, memory = held(), worker.memory_info().rss
    for number in range(3):
        version.write_text(f"v{number}")
        reload(server)
        told(server)
    wait_for(lambda: held() == before, f"{before}, not {held()}")
    assert worker.memory_info().rss - memory < 16 << 20


def test_asks_for_a_reload_are_never_lost(server: Program, version: Path) -> None:
    """What is asked for while one runs is done after it, so the last version on the disk serves."""
    for number in range(2, 5):
        version.write_text(f"v{number}")
        server.signal(signal.SIGHUP)
    server.wait_for_line("the new code serves", 30)
    wait_for(lambda: told(server) == "v4", "the last version")


def test_a_stop_during_a_reload_ends_all(server: Program, version: Path) -> None:
    version.write_text("v2")
    server.signal(signal.SIGHUP)
    server.wait_for_line("the code is read again")
    server.signal(signal.SIGTERM)
    assert server.exit_code() == 0
    assert "Traceback" not in server.terminal


def test_stop_first_frees_the_old_before_it_loads_the_new(version: Path) -> None:
    statuses: set[int] = set()
    over = threading.Event()

    def go_on_asking() -> None:
        while not over.is_set():
            statuses.add(ask(running, "/tell", 1).status_code)

    with served(TARGET, "--reload=stop_first", env={"VERSION": str(version)}) as running:
        clients = threading.Thread(target=go_on_asking)
        clients.start()
        try:
            version.write_text("v2")
            reload(running)
        finally:
            over.set()
            clients.join()
        assert told(running) == "v2"
        said = [line.partition("] ")[2] for line in running.lines]
        assert said.index("loads v1") < said.index("released v1") < said.index("loads v2")
        assert statuses <= {200, 503}
        version.write_text("broken")  # it cannot even be read: nobody is stopped
        reload(running)
        assert told(running) == "v2"
        version.write_text("unfit")  # this one is found out too late
        reload(running)
        assert get(running, "/-/health/ready").status_code == 503
        assert ask(running, "/tell", 1).status_code == 503
        version.write_text("v3")
        reload(running)
        assert told(running) == "v3"


def test_the_command_tells_the_outcome(version: Path, tmp_path: Path) -> None:
    pidfile = tmp_path / "server.pid"
    command = [sys.executable, "-m", "headrace", "reload", "--pidfile", str(pidfile)]

    def ask_for_it() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    with served(TARGET, f"--pidfile={pidfile}", env={"VERSION": str(version)}) as running:
        version.write_text("v2")
        said = ask_for_it()
        assert (said.returncode, running.url in said.stdout) == (0, True), said.stderr
        assert told(running) == "v2"  # at once: nobody waits
        version.write_text("unfit")
        said = ask_for_it()
        assert said.returncode == 1
        assert "nothing has changed: tell could not start" in said.stderr
        assert "weights.bin is missing" in said.stderr
        assert told(running) == "v2"


def test_a_server_that_has_not_started_is_not_waited_for(tmp_path: Path) -> None:
    pidfile = tmp_path / "server.pid"
    flags = ("--port=0", f"--pidfile={pidfile}")
    with program("-m", "headrace", "serve", "versioned:app", *flags, env={"SLOW": "30"}):
        wait_for(lambda: pidfile.exists() and pidfile.read_text().strip(), "the pidfile")
        command = [sys.executable, "-m", "headrace", "reload", "--pidfile", str(pidfile)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (said.returncode, "has not yet started" in said.stderr) == (1, True)


def test_what_the_command_line_said_of_models_stays(version: Path) -> None:
    with served(TARGET, "--set=tell.replicas=1", env={"VERSION": str(version)}) as running:
        version.write_text("v2")
        reload(running)
        settle(running)
        assert len(status(running)["deployments"]["tell"]["replicas"]) == 1


def test_every_reception_leads_to_the_new_code(version: Path, tmp_path: Path) -> None:
    """An access log, proxies and CORS stand before the door; connections are kept alive."""
    flags = (f"--access-log={tmp_path / 'access'}", "--trusted-proxy=*")
    for extra in ((), ("--cors-origin=*", "--gzip")):
        version.write_text("v1")
        with (
            served(TARGET, *flags, *extra, env={"VERSION": str(version)}) as running,
            httpx2.Client(base_url=running.url, timeout=PATIENCE_S) as client,
        ):
            assert client.post("/tell", json=1).json()[0] == "v1"
            version.write_text("more")
            reload(running)
            assert client.post("/tell", json=1).json()[0] == "more"
            assert client.post("/more", json=1).json() == 2
            version.write_text("v3")
            reload(running)
            assert client.post("/tell", json=1).json()[0] == "v3"
            assert client.post("/more", json=1).status_code == 404


def test_dev_reloads_when_a_file_changes(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("GREETING = 'Hello'\n")
    app = tmp_path / "greeter.py"
    app.write_text(
        "import headrace as hr\nimport words\n\n"
        "class Greet(hr.Model):\n"
        "    def predict(self, name: str) -> str:\n"
        "        return f'{words.GREETING}, {name}'\n"
    )

    def greeting() -> Any:
        return ask(running, "/predict", "Ada").json()

    with served(str(app), "--dev") as running:
        assert greeting() == "Hello, Ada"
        (tmp_path / "words.py").write_text("GREETING = 'Good day'\n")
        wait_for(lambda: greeting() == "Good day, Ada", f"the change: {running.lines[-20:]}")
        app.write_text(app.read_text() + "\nthis is no Python\n")
        running.wait_for_line("reload failed")
        assert "SyntaxError" in running.terminal
        assert greeting() == "Good day, Ada"
        app.write_text(app.read_text().replace("\nthis is no Python\n", "").replace(", {", "! {"))
        wait_for(lambda: greeting() == "Good day! Ada", "the mended file")


def test_dev_reloads_an_application_too(tmp_path: Path) -> None:
    source = (APPS / "versioned.py").read_text()
    (tmp_path / "own.py").write_text(source.replace('else "one"', 'else "first"'))
    with served(str(tmp_path / "own.py"), "--dev") as server:
        assert get(server).text.startswith("first")
        (tmp_path / "own.py").write_text(source.replace('else "one"', 'else "second"'))
        wait_for(lambda: get(server).text.startswith("second"), "the change")
