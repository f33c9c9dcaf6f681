"""Where and with what it was measured."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import venvs
from harness.contenders import HERE, PEERS
from harness.load import wrk_version


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader needs to judge the figures."""

    date: str
    cpu: str
    cores: int
    kernel: str
    load_before: (
        float  # runnable processes in the minute before: above 0.5, somebody else was working
    )
    versions: Mapping[str, str]


def describe(peers: Sequence[str] = PEERS) -> Machine:
    """Look around; `peers` are those who are measured."""
    versions = {"python": platform.python_version(), "wrk": wrk_version(), "headrace": _headrace()}
    for name in peers:
        versions[name] = venvs.PINS[name][0].partition("==")[2]
    return Machine(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{os.uname().sysname} {os.uname().release.partition('-')[0]}",
        load_before=round(os.getloadavg()[0], 2),
        versions=versions,
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, text = line.partition(":")
        if key.strip() == "model name":
            return text.strip()
    return platform.machine()


def _headrace() -> str:
    ask = "import headrace; print(headrace.__version__)"
    command = [sys.executable, "-c", ask]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(HERE)}, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "this checkout"
