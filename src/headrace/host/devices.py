"""Which device each replica gets, told to its process before it imports anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headrace.errors import ConfigError
from headrace.model.deployment import Options

DEVICES = Path("/dev")
CPU_SHARE = Path("/sys/fs/cgroup/cpu.max")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Placement:
    """What a replica's `setup` gets as device, and the environment that makes it so."""

    device: str
    environment: Mapping[str, str] = field(default_factory=dict)


def visible_gpus() -> list[str]:
    """Return the ids of the NVIDIA GPUs this process may use, without importing a GPU library."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [number.strip() for number in chosen.split(",") if number.strip() not in ("", "-1")]
    cards = [path.name.removeprefix("nvidia") for path in DEVICES.glob("nvidia[0-9]*")]
    if not cards and (DEVICES / "dxg").exists():
        return ["0"]  # WSL2: the driver is the host's, and shows no card here
    return [str(number) for number in range(len(cards))]


def cores() -> int:
    """Return how many cores this process may use: by its affinity, and by its container's share.

    The share is cgroup v2's `cpu.max`: microseconds of CPU in each period of so many.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    there = allowed or os.cpu_count() or 1
    try:
        quota, period = CPU_SHARE.read_text("ascii").split()
    except (OSError, ValueError):
        return there
    return there if quota == "max" else max(1, min(there, round(int(quota) / int(period))))


def place(options: Options, index: int, replicas_in_all: int) -> Placement:
    """Return where the `index`-th replica of a deployment goes. Raises ConfigError.

    A replica sees only its own GPU, so that within it the device is always `cuda:0`.
    """
    threads = options.threads_per_replica or max(1, cores() // replicas_in_all)
    environment = {name: str(threads) for name in THREAD_VARIABLES if name not in os.environ}
    if options.threads_per_replica:
        environment = dict.fromkeys(THREAD_VARIABLES, str(threads))
    gpus = _gpus(options)
    device = "cuda:0" if gpus else "cpu"
    environment["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)] if gpus else ""
    return Placement(device, {**environment, **options.env})


def _gpus(options: Options) -> list[str]:
    if options.devices == "cpu":
        return []
    visible = visible_gpus()
    if options.devices == "auto":
        return visible
    if options.devices == "cuda":
        if not visible:
            raise ConfigError(
                f'{options.name}: devices="cuda", and no GPU is visible; use "auto" or "cpu"'
            )
        return visible
    wanted = [int(number) for number in options.devices]
    if missing := [number for number in wanted if number >= len(visible)]:
        raise ConfigError(
            f"{options.name}: devices={wanted}, and this machine shows {len(visible)} GPUs: "
            f"there is no {missing[0]}"
        )
    return [visible[number] for number in wanted]
