"""A stop from a program: who has the key ends the whole server, and nobody's request with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.e2e.serving import (
    PATIENCE_S,
    Program,
    ask,
    can_bind,
    is_alive,
    program,
    served,
    wait_for,
)
from tests.e2e.shutdowns import ENV, KEY, Audit, shut_down
from tests.e2e.test_tree_commands import headrace
from tests.e2e.trees import get, tree, workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path)


def everybody(server: Program) -> list[int]:
    return [server.process.pid, *(child.pid for child in server.children)]


def assert_gone(server: Program, pids: list[int], port: int) -> None:
    """The exit code is 0, nobody is left, the port is free, and nothing went wrong."""
    assert server.exit_code(20) == 0, server.terminal
    assert can_bind(port)
    assert not any(map(is_alive, pids))
    assert "Traceback" not in server.terminal


async def keep_asking(port: int, seen: list[int], stop: threading.Event) -> None:
    """Be 64 clients that ask again and again, until they are told to or are refused."""

    async def client() -> None:
        body = b"0.001"
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while not stop.is_set():
                writer.write(head + body)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(re.findall(rb"content-length: (\d+)", answer.lower())[0])
                await reader.readexactly(length)
                seen.append(int(answer[9:12]))
                if b"connection: close" in answer.lower():
                    return
        finally:
            writer.close()

    await asyncio.gather(*(client() for _ in range(64)))


class Slow(threading.Thread):
    """A request that takes its time; `answer` is how it ended."""

    def __init__(self, server: Program, seconds: float, path: str = "/predict") -> None:
        super().__init__()
        self._url, self._seconds, self.answer = server.url + path, seconds, -1
        self.start()

    def run(self) -> None:
        try:
            self.answer = httpx2.post(self._url, json=self._seconds, timeout=20).status_code
        except httpx2.HTTPError:
            self.answer = 0


def running(server: Program) -> int:
    """Tell how many requests the models run."""
    told = get(server, "/-/health").json()["deployments"].values()
    return sum(replica["running"] for one in told for replica in one["replicas"])


def accepted(server: Program) -> int:
    """Tell how many connections its workers hold."""
    ends = [end for one in workers(server).values() for end in one.net_connections("tcp")]
    return sum(end.status == psutil.CONN_ESTABLISHED for end in ends)


def test_under_load_everybody_is_answered_and_the_next_server_has_the_port(audit: Audit) -> None:
    settings = ("--enable-shutdown-api", f"--audit-log={audit.path}")
    with served("leaves.py", *settings, env=ENV) as server:
        pids, port, over = everybody(server), server.port, threading.Event()
        seen: list[int] = []
        slow = Slow(server, 3.0)
        wait_for(lambda: running(server) == 1, "the slow request")
        load = threading.Thread(target=lambda: asyncio.run(keep_asking(port, seen, over)))
        load.start()
        try:
            wait_for(lambda: len(seen) > 500, f"the load: {len(seen)}")
            told = shut_down(server, path="/shutdown")
            assert told.status_code == 200
            assert told.json()["status"] == "stopping"
            assert told.json()["in_flight"] >= 1
            assert told.json()["grace_s"] == 30
            assert_gone(server, pids, port)
        finally:
            over.set()
            load.join()
            slow.join()
        with served("leaves.py", port=port) as following:
            assert ask(following, "/predict", 0).status_code == 200
    assert slow.answer == 200
    assert set(seen) <= {200, 503}  # 503: it asked again after the stop had begun
    assert server.terminal.count("torn down") == 2
    record = audit.stop()
    assert record["why"] == "api"
    assert record["in_flight"] == record["finished"] >= 1
    assert (record["cut"], record["exit_code"], record["hurried"]) == (0, 0, False)
    assert record["duration_s"] > 1
    assert audit.records("asked")[0]["key"] == record["key"] != KEY
    assert KEY not in server.terminal + audit.path.read_text()


def test_a_stream_under_way_comes_to_its_end(tmp_path: Path, audit: Audit) -> None:
    app = tmp_path / "counting.py"
    app.write_text(
        "import asyncio\n"
        "from collections.abc import AsyncIterator\n"
        "import headrace as hr\n"
        "class Count(hr.Model):\n"
        "    async def predict(self, to: int) -> AsyncIterator[str]:\n"
        "        for number in range(to):\n"
        "            yield f'{number} '\n"
        "            await asyncio.sleep(0.2)\n"
    )
    flags = ("--enable-shutdown-api", f"--audit-log={audit.path}")
    with served(str(app), *flags, env=ENV) as server:
        parts: list[str] = []
        with httpx2.stream("POST", f"{server.url}/predict", json=10, timeout=20) as answer:
            for part in answer.iter_text():
                if not parts:
                    assert shut_down(server).json()["in_flight"] == 1
                parts.append(part)
        assert server.exit_code() == 0
    assert "".join(parts) == "".join(f"{number} " for number in range(10))
    record = audit.stop()
    assert (record["in_flight"], record["finished"], record["cut"]) == (1, 1, 0)


def test_whoever_may_not_is_refused_recorded_and_counted(audit: Audit) -> None:
    env = {**ENV, "HEADRACE_AUDIT_LOG": str(audit.path)}
    with served("hello.py", "--enable-shutdown-api", env=env) as server:
        assert shut_down(server, None).headers["www-authenticate"] == "Bearer"
        wrong = shut_down(server, "another key")
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        other = shut_down(server, method="GET")
        assert (other.status_code, other.headers["allow"]) == (405, "POST")
        records = audit.records()
        assert [one["reason"] for one in records] == ["key", "key", "method"]
        assert all(one["event"] == "refused" for one in records)
        assert all(one["who"].startswith("127.0.0.1:") for one in records)
        assert wrong.headers["x-request-id"] == records[1]["request_id"]
        metrics = get(server, "/-/metrics").text
        assert 'headrace_shutdown_refused_total{reason="key"} 2' in metrics
        assert 'headrace_shutdown_refused_total{reason="method"} 1' in metrics
        assert ask(server, "/predict", "Ada").json() == "Hello, Ada!"
        assert "another key" not in server.terminal + audit.path.read_text()


def test_it_is_off_unless_asked_for() -> None:
    with served("hello.py", env=ENV) as server:
        for path in ("/shutdown", "/-/shutdown"):
            assert shut_down(server, path=path).status_code == 404


def test_only_some_addresses_may_whatever_a_proxy_says_of_them() -> None:
    flags = ("--enable-shutdown-api", "--trusted-proxy=127.0.0.1", "--shutdown-allow=10.0.0.0/8")
    with served("hello.py", *flags, env=ENV) as server:
        headers = {"Authorization": f"Bearer {KEY}", "X-Forwarded-For": "10.0.0.1"}
        refused = httpx2.post(f"{server.url}/-/shutdown", headers=headers, timeout=PATIENCE_S)
        assert refused.status_code == 403
        assert "shutdown_allow" in refused.json()["detail"]
        assert '"who":"127.0.0.1:' in server.terminal
        assert "for 10.0.0.1" in server.terminal


def test_keys_change_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n")
    env = {"HEADRACE_SHUTDOWN_API_KEY_FILE": str(file)}
    with served("hello.py", "--enable-shutdown-api", env=env) as server:
        assert shut_down(server, "the-next-key-of-this-server").status_code == 401
        following = tmp_path / "following"
        following.write_text("the-next-key-of-this-server\n")
        following.rename(file)
        looked_at = time.monotonic() + 1.1  # it looks again when asked, a second after the last
        wait_for(lambda: time.monotonic() > looked_at, "the clock")
        assert shut_down(server).status_code == 401
        assert shut_down(server, "the-next-key-of-this-server").status_code == 200
        assert server.exit_code() == 0


def test_a_key_that_was_made_is_told_once_and_not_logged(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with served("hello.py", "--enable-shutdown-api", f"--error-log={log}") as server:
        line = server.wait_for_line("the key that stops this server")
        key = line.rpartition(" ")[2]
        assert len(key) > 40
        assert shut_down(server, key).status_code == 200
        assert server.exit_code() == 0
        assert server.terminal.count(key) == 1
        assert key not in log.read_text()


def test_a_daemon_keeps_its_key_beside_its_pidfile(tmp_path: Path) -> None:
    pidfile, log = tmp_path / "server.pid", tmp_path / "server.log"
    flags = ("--port=0", "--daemon", f"--error-log={log}", "--enable-shutdown-api")
    app = str(Path(__file__).parent / "apps" / "hello.py")
    without = headrace("serve", app, *flags)
    assert without.returncode == 2
    assert "HEADRACE_SHUTDOWN_API_KEY" in without.stderr
    started = headrace("serve", app, *flags, f"--pidfile={pidfile}")
    assert started.returncode == 0, started.stderr
    pid = int(pidfile.read_text())
    try:
        place = tmp_path / "server.pid.key"
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        key = place.read_text().strip()
        url = started.stderr.split(" at ")[1].split()[0]
        assert shut_down(url, key).status_code == 200
        wait_for(lambda: not is_alive(pid), "the daemon's end")
        assert key not in log.read_text() + started.stderr
        assert not place.exists()
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_short_key_is_warned_about() -> None:
    env = {"HEADRACE_SHUTDOWN_API_KEY": "1234"}
    with served("hello.py", "--enable-shutdown-api", env=env) as server:
        assert "can be guessed" in server.wait_for_line("a key of less than 16")


def test_while_models_load_it_stops_all_the_same(audit: Audit) -> None:
    env = {**ENV, "SETUP_S": "60", "HEADRACE_AUDIT_LOG": str(audit.path)}
    command = ("-m", "headrace", "serve", "leaves.py", "--enable-shutdown-api", "--port=0")
    with program(*command, env=env) as server:
        wait_for(lambda: len(server.children) >= 3, "the replicas")
        port = next(
            found.laddr.port
            for found in psutil.Process(server.process.pid).net_connections("tcp")
            if found.status == psutil.CONN_LISTEN
        )
        url, pids = f"http://127.0.0.1:{port}", everybody(server)
        wait_for(lambda: get(url, "/-/health").json()["status"] == "loading", "an engine")
        wait_for(lambda: shut_down(url).status_code == 200, "the worker to listen")
        assert_gone(server, pids, port)
    assert audit.stop()["exit_code"] == 0


def test_asked_twice_it_hurries(audit: Audit) -> None:
    flags = ("--enable-shutdown-api", f"--audit-log={audit.path}")
    with served("leaves.py", *flags, env=ENV) as server:
        slow = Slow(server, 15.0)
        wait_for(lambda: running(server) == 1, "the slow request")
        pids, port = everybody(server), server.port
        assert shut_down(server).json()["hurries"] is False
        assert shut_down(server).json()["hurries"] is True
        assert_gone(server, pids, port)
        slow.join()
    assert slow.answer == 503
    assert [one["hurries"] for one in audit.records("asked")] == [False, True]
    record = audit.stop()
    assert (record["hurried"], record["in_flight"], record["cut"]) == (True, 1, 1)
    assert record["duration_s"] < 12


def test_several_workers_of_a_plain_application_end_together(audit: Audit) -> None:
    with tree(env=ENV, enable_shutdown_api=True, audit_log=str(audit.path), workers=3) as server:
        assert shut_down(server, path="/shutdown").status_code == 200  # that is the application's
        assert get(server).status_code == 200
        pids, port = everybody(server), server.port
        with contextlib.ExitStack() as stack:
            clients = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
                for _ in range(6)
            ]
            for client in clients:
                client.sendall(b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: accepted(server) >= len(clients), "everybody to be let in")
            assert shut_down(server).status_code == 200
            assert {client.recv(12) for client in clients} == {b"HTTP/1.1 200"}
        assert_gone(server, pids, port)
    assert server.terminal.count("released one") == 3
    record = audit.stop()
    assert 1 <= record["in_flight"] == record["finished"] <= 6
    assert record["cut"] == 0


def test_an_applications_server_takes_the_path_it_is_given() -> None:
    with tree(env=ENV, enable_shutdown_api=True, shutdown_path="/admin/stop") as server:
        assert shut_down(server, None, "/admin/stop").status_code == 401
        assert shut_down(server, path="/admin/stop").status_code == 200
        assert server.exit_code() == 0


def test_the_command_and_a_signal_write_the_same_record(tmp_path: Path, audit: Audit) -> None:
    pidfile = tmp_path / "server.pid"
    settings: dict[str, Any] = {"pidfile": str(pidfile), "audit_log": str(audit.path)}
    with tree(**settings) as server:
        stopped = subprocess.Popen(
            [*server.process.args[:1], "-m", "headrace", "stop", "--pidfile", str(pidfile)],  # type: ignore[index] # it is a list
            stdout=subprocess.PIPE,
        )
        stopped.communicate(timeout=20)
        assert (stopped.returncode, server.exit_code()) == (0, 0)
    with tree(**settings) as server:
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    command, ended = audit.records("stop")
    assert (command["why"], command["who"], command["pid"]) == ("cli", "headrace stop", stopped.pid)
    assert (ended["why"], ended["pid"], ended["uid"]) == ("signal", os.getpid(), os.getuid())
    assert ended["signal"] == command["signal"] == "SIGTERM"
    assert set(ended) == set(command)


def test_a_start_that_fails_is_a_record_with_its_exit_code(audit: Audit) -> None:
    command = ("-m", "headrace", "serve", "broken_setup.py", "--port=0")
    with program(*command, f"--audit-log={audit.path}") as server:
        assert server.exit_code() == 3
    record = audit.stop()
    assert (record["why"], record["exit_code"]) == ("failed_start", 3)


def test_workers_that_are_replaced_are_records_too(audit: Audit) -> None:
    with tree(audit_log=str(audit.path), max_requests=5) as server:
        first = next(iter(workers(server)))
        for _ in range(6):
            get(server)
        wait_for(lambda: audit.records("worker"), "the end of the first worker")
        second = next(iter(workers(server)))
        os.kill(second, signal.SIGKILL)
        wait_for(lambda: len(audit.records("worker")) == 2, "the end of the second")
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    recycled, killed = audit.records("worker")
    assert (recycled["why"], recycled["pid"], recycled["cut"]) == ("recycling", first, 0)
    assert (killed["why"], killed["pid"], killed["in_flight"]) == ("crash", second, None)
    assert "SIGKILL" in killed["ending"]


def test_on_shutdown_hears_of_it_in_a_process_of_its_own(tmp_path: Path, audit: Audit) -> None:
    place = tmp_path / "told"
    env = {"TOLD": str(place)}
    with served("leaves.py", f"--audit-log={audit.path}", env=env) as server:
        pid = server.process.pid
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    report = json.loads(place.read_text())
    told = report.pop("told")
    assert report == audit.stop()
    assert told not in (pid, os.getpid())


def test_an_on_shutdown_that_fails_changes_nothing() -> None:
    with served("leaves.py", env={"TOLD": "nobody"}) as server:
        port = server.port
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert can_bind(port)
    assert "there is nobody to tell" in server.terminal
    assert "on_shutdown failed" in server.terminal


def test_a_second_signal_does_not_wait_for_on_shutdown() -> None:
    with served("leaves.py", env={"TOLD": "slowly"}) as server:
        port = server.port
        server.signal(signal.SIGTERM)
        server.wait_for_line("telling")
        assert can_bind(port)
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    assert "Traceback" not in server.terminal


def test_before_it_stops_it_serves_on_and_says_that_it_is_not_ready(audit: Audit) -> None:
    flags = ("--enable-shutdown-api", "--drain-delay-s=2", f"--audit-log={audit.path}")
    for target, path in (("leaves.py", "/predict"), ("versioned:app", "/")):
        with served(target, *flags, env=ENV) as server:
            pids, port = everybody(server), server.port
            assert shut_down(server).json()["drain_delay_s"] == 2
            wait_for(lambda: get(server, "/-/health/ready").status_code == 503, "not ready", 1.5)
            assert ask(server, path, 0).status_code == 200
            assert_gone(server, pids, port)
        assert audit.records("stop")[-1]["duration_s"] > 1.9


def test_a_script_stops_by_itself(tmp_path: Path, audit: Audit) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import headrace as hr\n"
        "class Hello(hr.Model):\n"
        "    def predict(self, name: str) -> str:\n"
        "        return f'Hello, {name}!'\n"
        "def tell(report):\n"
        "    print('told of', report['why'])\n"
        "if __name__ == '__main__':\n"
        "    hr.run(Hello, port=0, enable_shutdown_api=True, on_shutdown=tell,\n"
        f"           audit_log={str(audit.path)!r})\n"
        "    print('and on it goes')\n"
    )
    with program(str(script), env=ENV) as server:
        server.wait_until_serving()
        pids, port = everybody(server), server.port
        assert shut_down(server).status_code == 200
        assert_gone(server, pids, port)
    assert "told of api" in server.terminal
    assert server.lines[-1] == "and on it goes"
    assert audit.stop()["exit_code"] == 0
