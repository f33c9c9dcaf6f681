"""Plain applications: Flask beside Gunicorn's gthread, FastAPI beside uvicorn's workers.

Both servers run from beginning to end, with the same interpreter and the same packages; runs of wrk
alternate between them, so that a busy machine is as busy for the one as for the other. Figures are
medians; the CPU is that of all of a server's processes, per request, and moves least. A ratio is
the median of those of neighbouring runs, with the least and the most of them.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from harness import venvs
from harness.contenders import SERVERS, environment

NAME = "plain"
CONNECTIONS = (64, 8)
START_S, STOP_S = 30.0, 8.0
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of wrk against one server."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    broken: bool


def measured(seconds: int, pairs: int) -> bool:
    """Measure both applications, print a line each; return whether every answer was right."""
    flask = {"headrace": _headrace("plain_flask.py", "4"), "gunicorn": _gunicorn()}
    fastapi = {"headrace": _headrace("plain_fastapi.py", "1"), "uvicorn": _uvicorn()}
    good = [_duel("Flask, 2 workers x 4 threads", flask, "gunicorn", seconds, pairs)]
    good.append(_duel("FastAPI, 2 workers", fastapi, "fastapi", seconds, pairs))
    return all(good)


def _headrace(target: str, threads: str) -> list[str]:
    command = [sys.executable, "-m", "headrace", "serve", str(SERVERS / target)]
    return [*command, "--workers", "2", "--threads", threads, "--port", "{port}"]


def _gunicorn() -> list[str]:
    ways = ["-w", "2", "--threads", "4", "--log-level", "warning", "--chdir", str(SERVERS)]
    return [sys.executable, "-m", "gunicorn", *ways, "-b", "127.0.0.1:{port}", "plain_flask:app"]


def _uvicorn() -> list[str]:
    ways = ["--workers", "2", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", *ways, "--app-dir", str(SERVERS)]
    return [*command, "--port", "{port}", "plain_fastapi:app"]


def _duel(title: str, commands: dict[str, list[str]], venv: str, seconds: int, pairs: int) -> bool:
    """Run two servers with the packages of `venv` side by side, wrk against one after the other."""
    venvs.ensure(venv)
    lent = {"PYTHONPATH": str(venvs.packages_of(venv))}
    (one, first), (other, second) = commands.items()
    with _serving(first, lent) as (url, process), _serving(second, lent) as (rivals, rival):
        for connections in CONNECTIONS:
            found: dict[str, list[Run]] = {one: [], other: []}
            for _ in range(pairs):
                found[one].append(_run(url, process, connections, seconds))
                found[other].append(_run(rivals, rival, connections, seconds))
            print(f"{title}, {connections} connections", flush=True)
            for name, runs in found.items():
                print(f"  {name:9} {_line(runs)}", flush=True)
            ratios = [
                _ratio(found[one], found[other], what) for what in ("rate", "p99_ms", "cpu_us")
            ]
            print(
                f"  {one} / {other}: rate {ratios[0]}, p99 {ratios[1]}, CPU {ratios[2]}", flush=True
            )
            if any(run.broken for runs in found.values() for run in runs):
                return False
    return True


def _ratio(ours: list[Run], theirs: list[Run], what: str) -> str:
    ratios = [getattr(a, what) / getattr(b, what) for a, b in zip(ours, theirs, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _middle(runs: list[Run], what: str) -> float:
    return median([float(getattr(run, what)) for run in runs])


def _line(runs: list[Run]) -> str:
    rate, cpu = _middle(runs, "rate"), _middle(runs, "cpu_us")
    p50, p99 = _middle(runs, "p50_ms"), _middle(runs, "p99_ms")
    return f"{rate:8.0f}/s  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  CPU {cpu:4.0f} us/request"


def _run(url: str, process: psutil.Process, connections: int, seconds: int) -> Run:
    before = _cpu_s(process)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    number = int(re.findall(r"(\d+) requests in", told)[0])
    return Run(
        rate=float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0]),
        p50_ms=_ms(re.findall(r"^\s+50%\s+(\S+)", told, re.MULTILINE)[0]),
        p99_ms=_ms(re.findall(r"^\s+99%\s+(\S+)", told, re.MULTILINE)[0]),
        cpu_us=(_cpu_s(process) - before) / number * 1e6,
        broken="Socket errors" in told or "Non-2xx" in told,
    )


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr] # wrk's
    return float(number) * UNITS[unit]


def _cpu_s(process: psutil.Process) -> float:
    """Return what all threads of a server have used, by the scheduler's own clock."""
    everyone = [process, *process.children(recursive=True)]
    tasks = [task for each in everyone for task in Path(f"/proc/{each.pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def _serving(command: list[str], lent: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """Start a server on a free port; end it, and all it started, in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word.replace("{port}", str(port)) for word in command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            words,
            cwd=Path(tempfile.gettempdir()),
            env=environment(lent),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(process, port)
            yield f"http://127.0.0.1:{port}/", psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                time.sleep(2.0)  # the second worker has no other sign of life
                return
        except OSError:
            time.sleep(0.05)
    raise ValueError(f"{process.args!r} did not start")
