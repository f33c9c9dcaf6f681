"""The days of tests/core over the store's own SQL: the judge looks after every deed, as there.

A day that fails prints its seed; `TESTS_SEED=that pytest tests/simulation` lives it again.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from headrace.core.submitting import Bounds
from tests.core.job_world import Books, Day, PureBooks, Weather, drawn
from tests.simulation.job_books import SqlBooks

GIVEN = os.environ.get("TESTS_SEED")
SEEDS = [GIVEN] if GIVEN else [str(number) for number in range(5)]


class Fixed(Random):
    """Always the same number: no commit fails, and no wait is spread."""

    def random(self) -> float:
        return 0.5


def lived(seed: str, folder: Path) -> Day:
    opened: list[SqlBooks] = []

    def make(chance: Random, bounds: Bounds) -> SqlBooks:
        opened.append(SqlBooks(chance, bounds, folder / "files"))
        return opened[0]

    try:
        return drawn(seed, make)
    finally:
        for books in opened:
            books.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_jobs_in_the_store_keeps_every_promise(seed: str, tmp_path: Path) -> None:
    lived(seed, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_hundreds_of_days_in_the_store_keep_every_promise(tmp_path: Path) -> None:
    for number in range(5, 205):
        lived(str(number), tmp_path)


def test_the_store_does_what_the_core_says_and_no_more(tmp_path: Path) -> None:
    """Where chance plays no part, both lives are the same to the last job."""
    ends = []
    in_sql = SqlBooks(Fixed(), Bounds(), tmp_path / "files")
    every: list[Books] = [PureBooks(Fixed(), Bounds()), in_sql]
    for books in every:
        day = Day("the same", books, Weather(kills=3, freezes=2))
        day.live(30, 120.0)
        ends.append((day.story, [(j.status, j.cause, j.attempt) for j in books.all().values()]))
    in_sql.close()
    assert ends[0] == ends[1]
