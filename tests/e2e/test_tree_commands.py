"""A server without a terminal: its pidfile, its daemon, its commands, systemd, other sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.e2e.serving import APPS, PATIENCE_S, is_alive, wait_for
from tests.e2e.trees import LAUNCH, get, launched, tree, workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def headrace(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "headrace", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def daemon(
    folder: Path, env: dict[str, str] | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Start a daemon; return when the shell's command does."""
    words = {
        "port": 0,
        "daemon": True,
        "pidfile": str(folder / "server.pid"),
        "error_log": str(folder / "server.log"),
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-c", LAUNCH, "versioned:app", json.dumps(words)],
        cwd=APPS,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_daemon_is_ready_when_its_command_ends_and_is_reloaded_and_stopped(
    tmp_path: Path,
) -> None:
    version, pidfile, log = (tmp_path / name for name in ("version", "server.pid", "server.log"))
    version.write_text("one")
    started = daemon(tmp_path, {"VERSION": str(version)})
    assert started.returncode == 0, started.stderr
    pid = int(pidfile.read_text())
    try:
        url = started.stderr.split(" at ")[1].split()[0]
        assert get(url).text.startswith("one ")
        assert os.getsid(pid) not in (os.getsid(0), pid)
        assert headrace("status", "--ready", "--pidfile", str(pidfile)).returncode == 0
        assert headrace("status", url).stdout == "server: ok\n"
        assert '"status": "ok"' in headrace("status", "--json", url).stdout

        version.write_text("two")
        said = headrace("reload", "--pidfile", str(pidfile))
        assert (said.returncode, said.stderr) == (0, "")
        assert get(url).text.startswith("two ")
        version.write_text("broken")
        said = headrace("reload", "--pidfile", str(pidfile))
        assert said.returncode == 1
        assert "this version is broken" in said.stderr
        assert get(url).text.startswith("two ")

        again = daemon(tmp_path)
        assert again.returncode == 2
        assert f"a server runs already by the pidfile {pidfile} (process {pid})" in again.stderr

        log.rename(tmp_path / "old.log")
        os.kill(pid, signal.SIGUSR1)
        wait_for(log.exists, "a new log")
        said = headrace("stop", "--pidfile", str(pidfile))
        assert (said.returncode, said.stderr) == (0, "")
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    assert not is_alive(pid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.log", "server.log", "version"]
    assert "released two" in log.read_text()
    assert "this version is broken" in (tmp_path / "old.log").read_text()


def test_a_daemon_that_cannot_start_says_so_in_the_shell(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("unfit")
    failed = daemon(tmp_path, {"VERSION": str(version)})
    assert failed.returncode == 3
    assert "weights.bin is missing" in failed.stderr
    assert not (tmp_path / "server.pid").exists()


def test_a_daemon_needs_a_file_for_its_log(tmp_path: Path) -> None:
    failed = daemon(tmp_path, error_log=None)
    assert failed.returncode == 2
    assert "--error-log" in failed.stderr


def test_commands_tell_when_no_server_runs(tmp_path: Path) -> None:
    pidfile = tmp_path / "stale.pid"
    for command in ("stop", "reload", "status"):
        said = headrace(command, "--pidfile", str(pidfile))
        assert (said.returncode, "there is no such file" in said.stderr) == (1, True)
    pidfile.write_text(f"{os.getpid()}\n")  # left behind, and its number is somebody else's now
    for command in ("stop", "reload", "status"):
        said = headrace(command, "--pidfile", str(pidfile))
        assert (said.returncode, "was left by one that is gone" in said.stderr) == (1, True)
    assert headrace("status", "--ready", "http://127.0.0.1:1").returncode == 1
    assert headrace("status").returncode == 2


def test_systemd_hears_what_it_wants_to_know(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    heard: list[str] = []

    def listen(systemd: socket.socket) -> None:
        while word := systemd.recv(4096):
            heard.append(word.decode())

    def hear(*words: str) -> None:
        wait_for(lambda: any(all(w in line for w in words) for line in heard), f"{words}: {heard}")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        listener = threading.Thread(target=listen, args=(systemd,))
        listener.start()
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000", "SLOW": "0.5"}
        try:
            with tree(env=env) as server:
                hear("EXTEND_TIMEOUT_USEC", "versioned:app is being loaded")
                hear("READY=1", server.url)
                hear("WATCHDOG=1")
                heard.clear()
                server.signal(signal.SIGHUP)
                hear("RELOADING=1", "MONOTONIC_USEC=")
                hear("READY=1", "the new code serves")
                server.signal(signal.SIGTERM)
                hear("STOPPING=1")
                assert server.exit_code() == 0
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(path))
            listener.join()


def test_a_socket_that_somebody_else_opened_is_served() -> None:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        given.listen()
        url = f"http://127.0.0.1:{given.getsockname()[1]}"
        start = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); "
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
            "os.execv(sys.executable, [sys.executable, '-c', *sys.argv[2:]])"
        )
        command = [sys.executable, "-c", start, str(given.fileno()), LAUNCH, "versioned:app", "{}"]
        server = subprocess.Popen(
            command, cwd=APPS, pass_fds=[given.fileno()], stderr=subprocess.PIPE, text=True
        )
        try:
            assert server.stderr is not None
            assert url in server.stderr.readline()
            assert get(url).text.startswith("one ")
        finally:
            server.terminate()
            server.communicate(timeout=PATIENCE_S)
        assert server.returncode == 0
        socket.create_connection(given.getsockname()).close()  # it is still open, and ours


def test_a_unix_socket_is_served_asked_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # of a server that is gone: nobody listens
    with launched(bind=[f"unix:{path}", "127.0.0.1:0"], umask=0o177) as server:
        server.wait_for_line(f"at unix:{path}, http://127.0.0.1:")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert headrace("status", "--ready", f"unix:{path}").returncode == 0
        with launched(bind=[f"unix:{path}"]) as second:
            assert second.exit_code() == 5
            assert "another server listens on" in second.terminal
        assert headrace("status", "--ready", f"unix:{path}").returncode == 0
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    assert not path.exists()


def may_be_run_by(user: int) -> bool:
    """Tell whether we may become this user, and it may run our interpreter."""
    try:
        command = [sys.executable, "-c", "import headrace.host.arbiter"]
        done = subprocess.run(command, user=user, capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(not may_be_run_by(65534), reason="nobody may run this interpreter, or we are")
def test_workers_run_as_the_user_of_the_settings() -> None:
    with tree("hello.py", user="65534", group="65534") as server:
        tree_of = [psutil.Process(server.process.pid), *server.children]
        assert {process.uids().real for process in tree_of} == {65534}
        assert {process.gids().real for process in tree_of} == {65534}
        assert get(server, "/-/health/ready").status_code == 200
        assert len(workers(server)) == 1
