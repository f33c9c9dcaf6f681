"""A Flask program that schedules work, while everything of its server is killed at random.

Each view that has answered has had its job written down: it ends once, with the right result.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.e2e.job_asking import beside, ended
from tests.e2e.serving import PATIENCE_S, Program, program

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

SEED = int(os.environ.get("TESTS_SEED", random.randrange(1 << 32)))
PARTS = ("app worker", "engine worker", "replica", "arbiter")
ENOUGH_S = 120.0
CLIENTS = 4
FINAL = re.compile(r'"status": ?"(succeeded|failed|canceled|expired)"')


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Life:
    """One server after another at the same address, with the same jobs."""

    folder: Path
    port: int = field(default_factory=free_port)
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    server: Program | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, again and again where need be, as whoever keeps a service does."""
        until = time.monotonic() + ENOUGH_S
        while True:
            try:
                self.server = self.stack.enter_context(program(*self._command(), env=self._env()))
                self.server.wait_until_serving()
            except AssertionError:
                self.stack.close()
                if time.monotonic() > until:
                    raise
            else:
                return

    def _command(self) -> tuple[str, ...]:
        flags = (f"--jobs-file={self.folder / 'jobs.sqlite3'}", "--workers=2", "--threads=4")
        return ("-m", "headrace", "serve", "job_flask.py", f"--port={self.port}", *flags)

    def _env(self) -> dict[str, str]:
        return {"DEEDS": str(self.folder)}

    def kill(self, part: str) -> None:
        """Kill a part of it, without a word; an arbiter is started again by whoever keeps it."""
        server = self.server
        assert server is not None
        if part == "arbiter":
            server.signal(signal.SIGKILL)
            server.process.wait(PATIENCE_S)
            self.stack.close()
            self.start()
            return
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            self._victim(server, part).send_signal(signal.SIGKILL)

    def _victim(self, server: Program, part: str) -> psutil.Process:
        engine = beside(server)
        if part == "engine worker":
            return engine
        if part == "replica":
            return self.chance.choice(engine.children())
        workers = [
            child
            for child in psutil.Process(server.process.pid).children()
            if "headrace.worker" in child.cmdline() and child.pid != engine.pid
        ]
        return self.chance.choice(workers)


def schedule(url: str, number: int, seconds: float, pause_s: float) -> str:
    """Schedule a job until that is answered, as a client does who has a key for it."""
    time.sleep(pause_s)
    until = time.monotonic() + ENOUGH_S
    params: dict[str, str | float] = {
        "number": number,
        "seconds": seconds,
        "key": f"number-{number}",
    }
    while True:
        try:
            answer = httpx2.post(f"{url}/schedule", params=params, timeout=4 * PATIENCE_S)
            if answer.status_code == 202:
                return str(answer.json()["id"])
            why = f"{answer.status_code}: {answer.text}"
        except httpx2.HTTPError as error:
            why = repr(error)
        assert time.monotonic() < until, f"{number} is not taken: {why}"
        time.sleep(0.1)


def run(folder: Path, jobs: int, kills: int, every_s: float) -> None:
    life = Life(folder)
    life.start()
    killed: list[str] = []

    def kill_now_and_then() -> None:
        order = [PARTS[turn % len(PARTS)] for turn in range(kills)]
        life.chance.shuffle(order)
        for part in order:
            time.sleep(life.chance.uniform(0.5, 1.5) * every_s)
            life.kill(part)
            killed.append(part)

    pause_s = kills * every_s * CLIENTS / jobs  # so that the last kill meets the last jobs

    def schedule_one(number: int) -> str:
        return schedule(life.url, number, life.chance.uniform(0, 2 * pause_s), pause_s)

    with life.stack, ThreadPoolExecutor(CLIENTS + 1) as pool:
        killing = pool.submit(kill_now_and_then)
        scheduling = [pool.submit(schedule_one, number) for number in range(jobs)]
        try:
            killing.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        taken = [each.result() for each in scheduling]
        assert len(killed) == kills, f"seed {SEED}"
        assert len(set(taken)) == jobs, f"seed {SEED}"
        for number, job in enumerate(taken):
            _check(life.url, job, number)
        page = httpx2.get(f"{life.url}/-/jobs", params={"limit": 1}, timeout=PATIENCE_S).json()
        assert page["jobs"], page


def _check(url: str, job: str, number: int) -> None:
    told = ended(url, job, ENOUGH_S)
    assert told["status"] == "succeeded", f"seed {SEED}: {told}"
    answer = httpx2.get(f"{url}/-/jobs/{job}/result", timeout=PATIENCE_S)
    assert answer.json() == number * number, f"seed {SEED}: {told}"
    events = httpx2.get(f"{url}/-/jobs/{job}/events", timeout=PATIENCE_S).text
    assert FINAL.findall(events) == ["succeeded"], f"seed {SEED}: {events}"


@pytest.mark.timeout(180)
def test_each_job_of_a_flask_program_ends_once_whatever_of_its_server_is_killed(
    tmp_path: Path,
) -> None:
    run(tmp_path, jobs=60, kills=4, every_s=1.5)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_thousand_jobs_of_a_flask_program_survive_ten_kills(tmp_path: Path) -> None:
    run(tmp_path, jobs=1000, kills=10, every_s=4.0)
