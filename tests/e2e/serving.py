"""Run a server as its users do: a process of its own, whose terminal we read."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.support.waiting import until

APPS = Path(__file__).parent / "apps"
PATIENCE_S = 10.0


def wait_for(true: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Return once it is true; fail by name when it takes too long."""
    assert until(true, within_s), f"not within {within_s} s: {what}"


class Program:
    """A started program; `lines` is what its terminal shows."""

    def __init__(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=APPS,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip("\n"))

    @property
    def terminal(self) -> str:
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        for line in self.lines:
            if found := re.search(r"headrace \S+ at (https?://\S+)", line):
                return found[1]
        raise AssertionError(f"it did not say where it serves:\n{self.terminal}")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @property
    def worker(self) -> psutil.Process:
        """The process that answers: the worker, or the program itself where it has none."""
        ours = psutil.Process(self.process.pid)
        workers = [child for child in ours.children() if "headrace.worker" in child.cmdline()]
        return workers[0] if workers else ours

    def wait_until_serving(self) -> None:
        def said_so() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.terminal}"
            return any(" at http" in line for line in self.lines)

        wait_for(said_so, f"the start line; so far: {self.lines}")

    def wait_for_line(self, part: str, within_s: float = PATIENCE_S) -> str:
        def found() -> list[str]:
            return [line for line in self.lines if part in line]

        wait_for(found, f"a line with {part!r}; so far: {self.lines}", within_s)
        return found()[0]

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def exit_code(self, within_s: float = PATIENCE_S) -> int:
        """Wait for its end and for everything it printed."""
        code = self.process.wait(within_s)
        self._reader.join(within_s)
        return code

    def close(self) -> None:
        """End whatever is left of it, by force if need be."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._reader.join(PATIENCE_S)


@contextlib.contextmanager
def program(*command: str, env: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run `python *command` in the folder of our apps."""
    started = Program(*command, env=env)
    try:
        yield started
    finally:
        started.close()


@contextlib.contextmanager
def served(
    target: str, *flags: str, port: int = 0, env: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run `headrace serve target` and wait until it serves."""
    with program("-m", "headrace", "serve", target, f"--port={port}", *flags, env=env) as server:
        server.wait_until_serving()
        yield server


def ask(
    server: Program | str, path: str, body: Any, *, headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    """POST JSON on a connection of its own."""
    url = server if isinstance(server, str) else server.url
    return httpx2.post(url + path, json=body, headers=headers, timeout=PATIENCE_S, verify=False)


def status(server: Program | str) -> dict[str, Any]:
    """Return what /-/health tells."""
    url = server if isinstance(server, str) else server.url
    told: dict[str, Any] = httpx2.get(f"{url}/-/health", timeout=PATIENCE_S, verify=False).json()
    return told


def can_bind(port: int) -> bool:
    """Tell whether a server could start at this port now."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
