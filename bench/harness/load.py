"""One run of wrk against one server, with what it cost the server's web process."""

import json
import shutil
import subprocess
from dataclasses import dataclass

from harness.contenders import BENCH
from harness.processes import Process, cpu_ns
from harness.serving import Server

PATIENCE_S = 30  # beyond the run's own length: then wrk hangs


class NoWrk(Exception):
    """wrk is missing or failed; says how to mend it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run gave.

    `refused`: answers of 400 and above; `broken`: socket errors and time-outs.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int
    worker_us: float | None  # CPU of the web process alone, per request

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def faults(self) -> int:
        """What makes this run invalid."""
        return self.refused + self.broken + (not self.requests)


def run_wrk(
    server: Server, *, connections: int, seconds: int, worker: Process | None = None
) -> Load:
    """Load a server from one wrk thread, and read its worker's CPU clock before and after.

    Raises NoWrk.
    """
    before = cpu_ns(worker.pid) if worker else 0
    told = _wrk(f"-c{connections}", f"-d{seconds}s", server.url, server.contender.question.script)
    spent = cpu_ns(worker.pid) - before if worker else 0
    requests = told["requests"]
    return Load(
        requests=int(requests),
        seconds=told["seconds"],
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        refused=int(told["refused"]),
        broken=int(told["broken"]),
        worker_us=round(spent / requests / 1e3, 2) if worker and requests else None,
    )


def wrk_version() -> str:
    """Return wrk's own version text.

    Raises NoWrk.
    """
    said = subprocess.run([_found(), "-v"], capture_output=True, text=True, check=False).stdout
    return said.split("[")[0].removeprefix("wrk ").strip()


def _found() -> str:
    if path := shutil.which("wrk"):
        return path
    raise NoWrk("wrk is not installed (Debian: apt-get install wrk)")


def _wrk(connections: str, duration: str, url: str, script: tuple[str, ...]) -> dict[str, float]:
    lua, *arguments = script
    command = [_found(), "-t1", connections, duration, "--timeout", "10s", "-s", lua, url]
    command += ["--", *arguments]
    limit = int(duration[2:-1]) + PATIENCE_S
    try:
        done = subprocess.run(
            command, cwd=BENCH, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoWrk(f"wrk did not end within {limit} s") from error
    if done.returncode:
        raise NoWrk(f"wrk exited {done.returncode}: {(done.stderr or done.stdout).strip()[:200]}")
    told: dict[str, float] = json.loads(done.stderr.strip().splitlines()[-1])
    return told
