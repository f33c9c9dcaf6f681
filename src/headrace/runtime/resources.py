"""What replicas take of the machine, read from /proc when somebody asks; nothing elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headrace.core.messages import DeploymentId
from headrace.runtime.driver import Driver

PROC = Path("/proc")
CHEAP_BYTES = 1 << 30
"""Up to here a process's share of common pages is counted; the kernel walks all of them for it."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Figures:
    """One process: memory now, at its most, as its fair share of pages held in common; work."""

    rss_bytes: int
    peak_rss_bytes: int
    pss_bytes: int | None
    cpu_s: float
    threads: int


def figures_of(pid: int | None) -> Figures | None:
    """Return what a replica's process takes; None if that cannot be told, or if it is our own."""
    if pid is None or pid == os.getpid():
        return None
    try:
        status = _fields(PROC / str(pid) / "status")
        stat = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        rss_bytes, threads = status["VmRSS"] * 1024, status["Threads"]
        peak_bytes = status["VmHWM"] * 1024
        pss_bytes = _pss_bytes(pid) if rss_bytes <= CHEAP_BYTES else None
    except (OSError, KeyError):  # it is gone, or about to; or this is no Linux
        return None
    cpu_s = (int(stat[11]) + int(stat[12])) / _TICKS
    return Figures(rss_bytes, peak_bytes, pss_bytes, cpu_s, threads)


def peak_bytes(pid: int | None) -> int:
    """Return the most memory that a replica's process ever took, or 0."""
    if pid is None or pid == os.getpid():
        return 0
    try:
        return _fields(PROC / str(pid) / "status").get("VmHWM", 0) * 1024
    except OSError:
        return 0


def with_figures(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a deployment, with the figures of each of its replicas."""
    replicas = []
    for replica in deployment["replicas"]:
        figures = figures_of(replica["pid"])
        replicas.append({**replica, "resources": None if figures is None else asdict(figures)})
    return {**deployment, "replicas": replicas}


def rendered(driver: Driver) -> Iterator[str]:
    """Return the figures of every replica as Prometheus text."""
    found = []
    for replica in driver.replicas.values():
        figures = figures_of(replica.pid)
        if figures is not None:
            deployment, _, number = replica.id.rpartition("/")
            generation = deployment.partition("@")[2] or "1"
            name = driver.roster.name_of(DeploymentId(deployment))
            found.append((f'deployment="{name}",replica="{generation}/{number}"', figures))
    for metric, kind, text, value in _METRICS:
        yield f"# HELP headrace_{metric} {text}"
        yield f"# TYPE headrace_{metric} {kind}"
        for labels, figures in found:
            yield f"headrace_{metric}{{{labels}}} {value(figures)}"


def _rss_bytes(figures: Figures) -> float:
    return figures.rss_bytes


def _cpu_s(figures: Figures) -> float:
    return figures.cpu_s


def _threads(figures: Figures) -> float:
    return figures.threads


_METRICS: tuple[tuple[str, str, str, Callable[[Figures], float]], ...] = (
    ("replica_memory_bytes", "gauge", "Memory a replica's process holds.", _rss_bytes),
    ("replica_cpu_seconds_total", "counter", "Processor time it has used.", _cpu_s),
    ("replica_threads", "gauge", "Threads it has.", _threads),
)


def _pss_bytes(pid: int) -> int | None:
    try:
        return _fields(PROC / str(pid) / "smaps_rollup")["Pss"] * 1024
    except (OSError, KeyError):
        return None


def _fields(path: Path) -> dict[str, int]:
    """Read lines such as `VmRSS:  1024 kB`; what is no number is left out."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            found[name] = int(words[0])
    return found
