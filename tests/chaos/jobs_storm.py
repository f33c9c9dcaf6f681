"""Jobs over HTTP while a server's processes are killed: who submits, who kills, what is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from socket import socket
from typing import Any

import httpx2
import psutil

from tests.e2e.serving import PATIENCE_S, Program, wait_for

ENDED = ("succeeded", "failed", "canceled", "expired")
LONG_S = 120.0


def free_port() -> int:
    """Return a port that nobody has now: a server is to come back to it."""
    with socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Reborn:
    """A server that is started again whenever it is gone, at the same address and file."""

    file: Path
    port: int = field(default_factory=free_port)
    flags: tuple[str, ...] = ()
    lives: int = 0

    def __post_init__(self) -> None:
        self.program = self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start(self) -> Program:
        """Start; what is left of the life before may hold the port for a moment."""
        until = time.monotonic() + LONG_S
        while True:
            self.lives += 1
            words = ("-m", "headrace", "serve", "jobs_http.py", f"--port={self.port}")
            started = Program(*words, f"--jobs-file={self.file}", *self.flags)
            try:
                started.wait_until_serving()
            except AssertionError:
                started.close()
                if time.monotonic() > until:
                    raise
            else:
                return started

    def kill(self, whom: str, chance: Random) -> None:
        """Kill one of its processes, as soon as there is one."""
        wait_for(lambda: self._killed(whom, chance), f"a {whom} to kill", LONG_S)

    def _killed(self, whom: str, chance: Random) -> bool:
        arbiter = psutil.Process(self.program.process.pid)
        if whom == "arbiter":
            arbiter.send_signal(signal.SIGKILL)
            self.program.process.wait(PATIENCE_S)
            self.program.close()
            self.program = self._start()
            return True
        workers = [each for each in arbiter.children() if "headrace.worker" in each.cmdline()]
        replicas = [child for worker in workers for child in worker.children()]
        found = workers if whom == "worker" else replicas
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            chance.choice(found).send_signal(signal.SIGKILL)
            return True
        return False

    def close(self) -> None:
        self.program.close()


@contextlib.contextmanager
def reborn(file: Path, *flags: str) -> Iterator[Reborn]:
    """Hold one."""
    server = Reborn(file, flags=flags)
    try:
        yield server
    finally:
        server.close()


class Submitting(threading.Thread):
    """Submits jobs one after the other, each until it is acknowledged, with a key of its own."""

    def __init__(self, server: Reborn, numbers: range, step_s: float) -> None:
        super().__init__(name="submitting")
        self._server, self._numbers, self._step_s = server, numbers, step_s
        self.acknowledged: dict[str, str] = {}
        """The name of the job by its id."""
        self.again = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with httpx2.Client(timeout=PATIENCE_S) as client:
                for number in self._numbers:
                    self._submit(client, f"job-{number}")
        except BaseException as error:
            self.error = error
            raise

    def _submit(self, client: httpx2.Client, name: str) -> None:
        body = {"name": name, "steps": 2, "step_s": self._step_s}
        headers = {"Prefer": "respond-async", "Idempotency-Key": name}
        until = time.monotonic() + LONG_S
        while time.monotonic() < until:
            try:
                answer = client.post(f"{self._server.url}/work", json=body, headers=headers)
            except httpx2.TransportError:
                self.again += 1
                time.sleep(0.05)
                continue
            if answer.status_code == 202:
                self.acknowledged[answer.json()["id"]] = name
                return
            assert answer.status_code in (429, 500, 502, 503, 504), answer.text
            self.again += 1
            time.sleep(0.05)
        raise AssertionError(f"{name} was never acknowledged")


def all_ended(server: Reborn, jobs: dict[str, str], within_s: float) -> dict[str, dict[str, Any]]:
    """Wait until every job has ended; return what is told of each."""
    told: dict[str, dict[str, Any]] = {}
    until = time.monotonic() + within_s
    with httpx2.Client(timeout=PATIENCE_S) as client:
        for job, name in jobs.items():
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    answer = client.get(f"{server.url}/jobs/{job}", params={"wait": "5"})
                    if answer.status_code == 200 and answer.json()["status"] in ENDED:
                        told[job] = answer.json()
                        break
                    assert answer.status_code in (200, 503), answer.text
                assert time.monotonic() < until, f"stuck: {job} {name}"
    return told


def results(server: Reborn, jobs: dict[str, str]) -> dict[str, Any]:
    """Return what each job answered."""
    with httpx2.Client(timeout=PATIENCE_S) as client:
        return {job: client.get(f"{server.url}/jobs/{job}/result").json() for job in jobs}


def ends_in_store(file: Path) -> Counter[str]:
    """Count for each job how often it came to an end, as it was written down."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(
            "SELECT jobs.id, events.data FROM events JOIN jobs ON jobs.number = events.job"
            " WHERE events.kind = 'state'"
        ).fetchall()
    return Counter(job for job, data in rows if json.loads(data)["status"] in ENDED)


def frozen(pid: int) -> None:
    """Stop a process in its tracks."""
    os.kill(pid, signal.SIGSTOP)


def thawed(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)
