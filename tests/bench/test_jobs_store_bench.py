"""The measurement of the job store measures: the same jobs on both sides, each on the disk."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import jobs_store


def test_both_sides_accept_as_many_jobs_in_the_same_groups(tmp_path: Path) -> None:
    turn = jobs_store.of_store(tmp_path, 100, 10)
    assert sum(turn.groups) >= 100  # and what the store does by itself at its start
    assert jobs_store.of_bare_loop(tmp_path, turn.groups) > 0
    counted = []
    for name in ("store.db", "bare.db"):
        connection = sqlite3.connect(tmp_path / name)
        counted.append(connection.execute("SELECT count(*) FROM inputs").fetchone()[0])
        connection.close()
    assert counted == [100, sum(turn.groups)]
