"""Whole days of the real driver and engine, seeded: every promise holds after every event.

A day that fails prints its seed; `TESTS_SEED=that pytest tests/simulation` lives it again.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest

from headrace.core.batching import BatchPolicy
from headrace.core.records import Policy
from tests.core.caring import KINDS
from tests.core.walk import POLICIES, TOGETHER, TOOK_S
from tests.simulation.actor import Temper
from tests.simulation.day import Day

SOAK = "TESTS_SOAK" in os.environ
GIVEN = os.environ.get("TESTS_SEED")
SEEDS = [GIVEN] if GIVEN else [str(number) for number in range(60)]


def lived(seed: str) -> Day:
    """Live a day whose seed decides everything."""
    chance = Random(seed)
    policies = {name: POLICIES[name] for name in chance.choice(TOGETHER)}
    temper = Temper(
        took_s=chance.choice(TOOK_S),
        load_s=chance.choice([0.01, 0.1, 3.0]),
        hangs=chance.choice([0.0, 0.0, 0.01, 0.1]),
        trusted=chance.random() < 0.7,
    )
    day = Day(seed, policies, temper)
    try:
        day.live(
            chance.choice([10, 150]), chance.choice([1.0, 30.0, 1000.0]), chance.choice([0, 3, 9])
        )
    except BaseException as error:
        error.add_note(f"live it again: TESTS_SEED={seed} pytest tests/simulation")
        raise
    return day


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_keeps_every_promise(seed: str) -> None:
    lived(seed)


def cared_for(seed: str) -> Day:
    """Live a day in which replicas are asked how they are, and their number follows the load."""
    chance = Random(f"cared for {seed}")
    policies = {name: KINDS[name] for name in chance.sample(sorted(KINDS), 2)}
    temper = Temper(
        took_s=chance.choice([0.004, 0.1, 2.0]),
        load_s=chance.choice([0.01, 0.3, 3.0]),
        hangs=chance.choice([0.0, 0.02]),
        ill=chance.choice([0.0, 0.02, 0.1]),
        mute=chance.choice([0.0, 0.02]),
    )
    day = Day(seed, policies, temper)
    day.live(chance.choice([50, 200]), chance.choice([2.0, 10.0, 40.0]), chance.choice([0, 3]))
    return day


def test_days_of_health_and_of_scaling_keep_every_promise() -> None:
    days = [cared_for(str(seed)) for seed in range(200 if SOAK else 10)]
    story = sum((day.story for day in days), start=Counter[str]())
    assert {"GREW", "SHRANK", "UNWELL", "SILENT", "LOADING"} <= set(story), story


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_thousand_days_keep_every_promise() -> None:
    for number in range(60, 1060):
        lived(str(number))


def test_the_days_hold_everything_that_can_happen() -> None:
    story = sum((lived(str(seed)).story for seed in range(40)), start=Counter[str]())
    wanted = {
        "bytes",
        "NoneType",
        "Expired",
        "ReplicaLost",
        "Draining",
        "QueueFull",
        "StillLoading",
    }
    wanted |= {"for one of many models"}
    assert wanted | {"deaths", "parts", "slow readers"} <= set(story), story


def test_a_seed_is_a_day() -> None:
    first, second = lived("again"), lived("again")
    assert first.story == second.story
    assert [c.endings for c in first.callers if c.endings[0] is None] == [
        c.endings for c in second.callers if c.endings[0] is None
    ]


def test_an_answer_that_goes_astray_is_noticed() -> None:
    batched = {"any": Policy(batch=BatchPolicy(8))}
    with pytest.raises(AssertionError, match="was told"):
        Day("astray", batched, Temper(0.01, mixes_up=True)).live(100, 300.0, 0)
