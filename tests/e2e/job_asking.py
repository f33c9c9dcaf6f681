"""Ask a server about jobs, as clients do."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import psutil

from tests.e2e.serving import PATIENCE_S, Program

LIVE = ("queued", "running", "canceling")


def submit(server: Program, function: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    """Have `job_hooks` submit a function."""
    body = {"function": function, "arguments": list(arguments), "options": options}
    answer = httpx2.post(f"{server.url}/submit", json=body, timeout=3 * PATIENCE_S)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def shown(server: Program | str, job: str) -> dict[str, Any]:
    """Return what is told of a job."""
    url = server if isinstance(server, str) else server.url
    answer = httpx2.get(f"{url}/-/jobs/{job}", timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def ended(server: Program | str, job: str, within_s: float = 3 * PATIENCE_S) -> dict[str, Any]:
    """Wait for the end of a job, and return what is told of it."""
    until = time.monotonic() + within_s
    while (told := shown(server, job))["status"] in LIVE:
        assert time.monotonic() < until, f"it has not ended: {told}"
        time.sleep(0.02)
    return told


def result(server: Program, job: str) -> Any:
    """Wait for a job, and return what it answered."""
    told = ended(server, job)
    assert told["status"] == "succeeded", told
    answer = httpx2.get(f"{server.url}/-/jobs/{job}/result", timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def beside(server: Program) -> psutil.Process:
    """Return the engine worker beside app workers: the one that has a socket of its own."""
    workers = [
        child
        for child in psutil.Process(server.process.pid).children()
        if "headrace.worker" in child.cmdline()
    ]
    own = [each for each in workers if any(c.laddr for c in each.net_connections("unix"))]
    return max(own or workers, key=lambda each: len(each.children()))
