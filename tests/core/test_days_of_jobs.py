"""Whole days of jobs, seeded, ruled by the core alone: the judge looks after every deed.

A day that fails prints its seed; `TESTS_SEED=that pytest tests/core` lives it again.
"""

from __future__ import annotations

import os

import pytest

from headrace.core.jobs import Cause, Status
from tests.core.job_world import PureBooks, drawn, stories

GIVEN = os.environ.get("TESTS_SEED")
SEEDS = [GIVEN] if GIVEN else [str(number) for number in range(12)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_jobs_keeps_every_promise(seed: str) -> None:
    drawn(seed, PureBooks)


def test_the_days_of_jobs_hold_everything_that_can_happen() -> None:
    story = stories(drawn(str(seed), PureBooks) for seed in range(16))
    wanted = {"kills", "freezes", "stale", "refused", "retried", "submitted again"}
    wanted |= {Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.EXPIRED}
    wanted |= {f"canceled when {status}" for status in Status}
    wanted |= {f"cause {cause}" for cause in Cause if cause}
    wanted |= {"STOPPED when canceling", "SUCCEEDED when canceling", "FAILED when canceling"}
    assert wanted <= set(story), wanted - set(story)


def test_a_seed_is_a_day_of_jobs() -> None:
    assert drawn("again", PureBooks).story == drawn("again", PureBooks).story


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_hundreds_of_days_of_jobs_keep_every_promise() -> None:
    for number in range(16, 616):
        drawn(str(number), PureBooks)
