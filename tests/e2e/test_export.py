"""What `headrace export` writes is true: its commands serve, its probes are answered."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from tests.e2e.serving import APPS, PATIENCE_S, Program, program, wait_for
from tests.export.reading import command_in, documents, health_in, step, unit_of

pytestmark = pytest.mark.e2e


def exported(
    *words: str, cwd: Path = APPS, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `headrace export` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "headrace", "export", *words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE_S,
        check=False,
    )


def text(*words: str, cwd: Path = APPS) -> str:
    """Return the exported file."""
    said = exported(*words, "--output", "-", cwd=cwd)
    assert (said.returncode, said.stderr) == (0, "")
    return said.stdout


def here(command: list[str]) -> list[str]:
    """Return a container's command for this machine: its own address, a free port."""
    ours = {"0.0.0.0": "127.0.0.1", "8000": "0"}  # noqa: S104 - what it is not to be
    program, *words = command
    assert program.endswith("headrace")
    return ["-m", "headrace", *(ours.get(word, word) for word in words)]


def is_healthy(dockerfile: str, server: Program) -> bool:
    """Ask as the container's health check does."""
    *command, url = health_in(dockerfile)
    assert url == "http://127.0.0.1:8000"
    ran = [sys.executable, "-m", *command, server.url]
    return subprocess.run(ran, timeout=3 * PATIENCE_S, check=False).returncode == 0


@pytest.mark.parametrize(
    ("target", "flags"),
    [("hello.py", []), ("plain_wsgi:app", ["--workers=2", "--threads", "4"])],
    ids=["models", "application"],
)
def test_a_containers_command_serves_is_healthy_and_stops(target: str, flags: list[str]) -> None:
    dockerfile = text("dockerfile", target, *flags)
    with program(*here(command_in(dockerfile))) as server:
        server.wait_until_serving()
        assert is_healthy(dockerfile, server)
        (container,) = documents(text("k8s", target))[0]["spec"]["template"]["spec"]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert httpx2.get(f"{server.url}{path}", timeout=PATIENCE_S).status_code == 200
        server.signal(getattr(signal, step(dockerfile, "STOPSIGNAL")))
        assert server.exit_code() == 0


def test_probes_tell_loading_from_dead() -> None:
    dockerfile = text("dockerfile", "versioned:app")
    with program(*here(command_in(dockerfile)), "--bind=127.0.0.1:0", env={"SLOW": "60"}) as server:
        found: list[int] = []

        def is_bound() -> bool:
            found[:] = ports_of(server.process.pid)
            return bool(found)

        wait_for(is_bound, "an address")
        url = f"http://127.0.0.1:{found[0]}/-/health"
        statuses = {
            path: httpx2.get(f"{url}/{path}", timeout=PATIENCE_S).status_code
            for path in ("live", "startup", "ready")
        }
        assert statuses == {"live": 200, "startup": 503, "ready": 503}


def ports_of(pid: int) -> list[int]:
    """Return the ports that a process listens on."""
    import psutil

    listening = psutil.Process(pid).net_connections("tcp")
    return [one.laddr.port for one in listening if one.status == psutil.CONN_LISTEN]


def test_a_unit_starts_tells_systemd_and_stops(tmp_path: Path) -> None:
    service = unit_of(text("systemd", "hello.py"))["Service"]
    assert service["WorkingDirectory"] == [str(APPS)]
    heard: list[str] = []
    path = tmp_path / "notify"

    def listen(systemd: socket.socket) -> None:
        while word := systemd.recv(4096):
            heard.append(word.decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        listener = threading.Thread(target=listen, args=(systemd,))
        listener.start()
        try:
            command = shlex.split(service["ExecStart"][0])
            env = {"NOTIFY_SOCKET": str(path), "HEADRACE_PORT": "0"}
            with program(*here(command), env=env) as server:
                wait_for(lambda: any("READY=1" in word for word in heard), f"READY: {heard}")
                server.signal(getattr(signal, service["KillSignal"][0]))
                assert server.exit_code() == 0
            assert any("STOPPING=1" in word for word in heard)
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(path))
            listener.join()


CONF = """
bind = "127.0.0.1:9100"
workers = 3
daemon = True
pidfile = "shop.pid"
errorlog = "shop.log"
user = "root"
graceful_timeout = 90
"""


def test_a_configuration_for_a_machine_is_one_for_a_container(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "shop.py").write_text((APPS / "plain_wsgi.py").read_text())
    (tmp_path / "requirements.txt").write_text("headrace\n")
    shell = {"HEADRACE_PORT": "1234", "HEADRACE_THREADS": "9"}
    said = exported("compose", "shop:app", "-c", "conf.py", cwd=tmp_path, env=shell)
    assert said.returncode == 0, said.stderr
    assert "HEADRACE_THREADS is set in this shell; the files do not have it" in said.stderr
    for name in ("compose.yaml", "Dockerfile", ".dockerignore"):
        assert f"wrote {name}" in said.stderr
    service = documents((tmp_path / "compose.yaml").read_text())[0]["services"]["shop"]
    assert service["ports"] == ["9100:9100"]
    assert float(service["stop_grace_period"].removesuffix("s")) > 90
    dockerfile = (tmp_path / "Dockerfile").read_text()
    assert "-r requirements.txt" in dockerfile
    variables = dict(
        one.split("=", 1)
        for line in dockerfile.splitlines()
        if line.startswith("ENV HEADRACE_")
        for one in shlex.split(line)[1:]
    )
    assert variables == {
        "HEADRACE_DAEMON": "false",
        "HEADRACE_USER": "",
        "HEADRACE_PIDFILE": "",
        "HEADRACE_ERROR_LOG": "-",
    }
    command = command_in(dockerfile)
    assert command[1:5] == ["serve", "shop:app", "-c", "conf.py"]
    where = ["-m", "headrace", *command[1:5], "--port=0"]  # beside the file that says 9100
    server = subprocess.Popen(
        [sys.executable, *where],
        cwd=tmp_path,
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        assert any(" at http://127.0.0.1:" in line for line in server.stderr)
    finally:
        server.terminate()
        server.communicate(timeout=2 * PATIENCE_S)
    assert server.returncode == 0
    assert not (tmp_path / "shop.pid").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("dockerfile", "gone.py"), 4, "there is no file gone.py"),
        (("k8s", "broken_import.py"), 4, "importing broken_import.py failed"),
        (("compose", "hello.py", "--bind=unix:/run/a.sock"), 2, "a container is reached by a port"),
        (("compose", "hello.py", "--output", "../deploy"), 2, "is not below"),
        (("systemd", "hello.py", "--name", "A B"), 2, "small letters"),
        (("docker", "hello.py"), 2, "dockerfile"),
    ],
)
def test_what_cannot_be_exported_is_told(words: tuple[str, ...], code: int, told: str) -> None:
    said = exported(*words)
    assert (said.returncode, told in said.stderr) == (code, True), said.stderr
    assert not (APPS.parent / "deploy").exists()
