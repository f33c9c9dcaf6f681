"""How many cores a process may use: the machine's, its affinity's, its container's share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.host import devices


@pytest.mark.parametrize(
    ("share", "affinity", "cores"),
    [
        (None, 8, 8),
        ("max 100000", 8, 8),
        ("200000 100000", 8, 2),
        ("150000 100000", 8, 2),
        ("50000 100000", 8, 1),
        ("900000 100000", 3, 3),
        ("nonsense", 4, 4),
    ],
)
def test_threads_are_shared_out_among_the_cores_there_are_for_us(
    share: str | None,
    affinity: int,
    cores: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = tmp_path / "cpu.max"
    if share is not None:
        said.write_text(share + "\n")
    monkeypatch.setattr(devices, "CPU_SHARE", said)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    assert devices.cores() == cores
