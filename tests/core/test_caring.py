"""In any order: who is not well is replaced, and there are as many as the load asks for."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from math import inf

from headrace.core.check import check
from headrace.core.engine import Engine
from headrace.core.health import MARGIN_S, HealthPolicy
from headrace.core.messages import News, ReplicaId, Why
from headrace.core.records import Policy
from headrace.core.replicas import State
from headrace.core.scaling import ScalePolicy
from tests.core.caring import KINDS, Caring, state_of, walk
from tests.core.changing import scale
from tests.core.resting import resting
from tests.core.walk import POLICIES

SOAK = "TESTS_SOAK" in os.environ
ONE, TWO, THREE = (ReplicaId(f"m/{number}") for number in (1, 2, 3))
ASKED = HealthPolicy(10.0, 30.0)


def awake(policy: Policy, budget: float = inf) -> Caring:
    """Return a world of one deployment whose replicas are all loaded."""
    world = Caring({"m": policy}, budget)
    world.load("m")
    return world


def until(world: Caring, when: float) -> None:
    """Let time pass, alarm by alarm."""
    world.end_turn()
    while world.alarm <= when:
        world.ring()
    world.now = when


def asked(policy: Policy) -> Caring:
    """Return a world whose replicas were just asked how they are."""
    world = awake(replace(policy, health=ASKED))
    until(world, world.now + ASKED.period_s)
    assert set(world.asked_at) == {ONE, TWO}
    return world


def test_any_order_of_events_keeps_every_promise() -> None:
    seen: Counter[News] = Counter()
    for seed in range(400 if SOAK else 8):
        world = walk(seed, steps=100)
        seen.update(news for _, news in world.news)
        seen[News.UNWELL] += len(world.unwell)
    assert all(seen[news] > 0 for news in (News.GREW, News.SHRANK, News.IDLE, News.UNWELL)), seen


# --- health ------------------------------------------------------------------------------


def test_one_that_is_well_is_asked_again_a_period_later() -> None:
    world = asked(POLICIES["tasks"])
    world.answer(ONE, is_well=True)
    world.answer(TWO, is_well=True)
    began = world.now
    until(world, began + ASKED.period_s - 0.1)
    assert not world.asked_at
    until(world, began + ASKED.period_s)
    assert set(world.asked_at) == {ONE, TWO}


def test_one_that_is_not_well_ends_its_calls_while_another_is_started() -> None:
    world = asked(POLICIES["tasks"])
    world.answer(ONE, is_well=True)
    until(world, world.now + ASKED.period_s)
    for _ in range(4):
        world.arrive("m", 60.0)
    world.end_turn()
    world.answer(ONE, is_well=False)
    world.end_turn()
    assert state_of(world, ONE) is State.RETIRING
    assert state_of(world, THREE) is State.LOADING
    world.answer_all()
    assert state_of(world, ONE) is State.DRAINING


def test_those_that_are_never_well_are_started_later_and_later() -> None:
    world = awake(replace(POLICIES["tasks"], replicas=1, health=ASKED))
    starts: list[float] = []
    for number in range(1, 5):
        replica = ReplicaId(f"m/{number}")
        until(world, world.now + ASKED.period_s)
        world.answer(replica, is_well=False)
        told = world.now
        world.end_turn()
        while not [c for c in world.replicas.values() if not c.ready]:
            world.ring()
        starts.append(world.now - told)
        world.bury_leavers()
        world.load("m")
    assert starts == sorted(starts)
    assert starts[0] < 1.0 < starts[-1]


def test_where_there_is_no_memory_for_both_the_next_one_comes_when_this_one_is_gone() -> None:
    policy = resting(replace(POLICIES["tasks"], health=ASKED), needed_bytes=10)
    world = awake(policy, budget=20)
    world.want("m")
    world.end_turn()
    world.load("m")
    until(world, world.now + ASKED.period_s)
    world.answer(ONE, is_well=False)
    world.end_turn()
    assert THREE not in world.replicas
    world.bury_leavers()
    assert THREE in world.replicas


def test_one_that_does_not_answer_gets_no_calls_and_is_ended() -> None:
    world = asked(POLICIES["tasks"])
    world.answer(TWO, is_well=True)
    until(world, world.now + ASKED.timeout_s + MARGIN_S)
    assert state_of(world, ONE) is State.DOOMED
    world.die(world.replicas[ONE], Why.ASKED)
    world.end_turn()
    assert state_of(world, THREE) is State.LOADING


def test_two_that_do_not_answer_are_ended_one_after_the_other() -> None:
    world = asked(POLICIES["tasks"])
    until(world, world.now + ASKED.timeout_s + MARGIN_S)
    assert sorted([state_of(world, ONE).name, state_of(world, TWO).name]) == ["DOOMED", "QUITTING"]


def test_one_that_answers_late_takes_calls_again() -> None:
    world = asked(POLICIES["tasks"])
    until(world, world.now + ASKED.timeout_s + MARGIN_S)
    quitting = next(r for r in (ONE, TWO) if state_of(world, r) is State.QUITTING)
    world.answer(quitting, is_well=True)
    world.end_turn()
    assert state_of(world, quitting) is State.READY


def test_what_a_silent_one_ran_runs_elsewhere() -> None:
    world = asked(POLICIES["tasks"])
    for _ in range(6):
        world.arrive("m", 600.0)
    world.end_turn()
    world.answer(TWO, is_well=True)
    until(world, world.now + ASKED.timeout_s + MARGIN_S)
    world.die(world.replicas[ONE], Why.ASKED)
    world.end_turn()
    world.load("m")
    world.answer_all()
    assert not world.live()


def test_a_leaf_in_a_long_call_is_not_judged_and_one_that_hangs_in_its_answer_is() -> None:
    world = awake(replace(POLICIES["plain"], health=replace(ASKED, between_calls=True)))
    for _ in range(2):
        world.arrive("m", 3600.0)
    world.end_turn()
    for copy in world.replicas.values():
        copy.claim()
        copy.look()
    until(world, world.now + 1000.0)
    assert {copy.state for copy in world.engine.fleet.copies.values()} == {State.READY}
    world.answer_all()
    for _ in range(2):  # these stand behind the question
        world.arrive("m", 3600.0)
    world.end_turn()
    until(world, world.now + 2 * (ASKED.timeout_s + MARGIN_S))
    assert State.DOOMED in {copy.state for copy in world.engine.fleet.copies.values()}


# --- scaling -----------------------------------------------------------------------------

SCALE = ScalePolicy(1, 4, 2.0, 3.0, 60.0)
ELASTIC = replace(POLICIES["tasks"], replicas=1, scale=SCALE, max_queued=100)


def test_more_replicas_come_with_the_load_and_go_when_their_calls_are_ended() -> None:
    world = awake(ELASTIC)
    for _ in range(7):
        world.arrive("m", 600.0)
    until(world, world.now + 6.0)
    assert world.pool("m").wanted == 4
    assert len(world.replicas) == 4
    world.load("m")
    world.answer_all()
    until(world, world.now + 70.0)
    assert world.pool("m").wanted == 1
    world.bury_leavers()
    assert len(world.replicas) == 1


def test_after_a_growth_there_is_patience_again() -> None:
    world = awake(replace(ELASTIC, scale=replace(SCALE, most=12)))
    for _ in range(20):
        world.arrive("m", 600.0)
    until(world, world.now + 2.1)
    for request in [each.id for each in world.live()][4:]:
        world.hang_up(request)
    until(world, world.now + 1.2)
    grown = world.pool("m").wanted
    assert 1 < grown < 8, "less than its mean asks for: of late there is less"
    for _ in range(20):
        world.arrive("m", 600.0)
    until(world, world.now + 2.5)
    assert world.pool("m").wanted == grown
    until(world, world.now + 1.0)
    assert world.pool("m").wanted > grown


def test_one_that_is_not_well_is_not_kept_when_more_are_wanted() -> None:
    world = asked(POLICIES["tasks"])
    for _ in range(4):
        world.arrive("m", 60.0)
    world.end_turn()
    world.answer(ONE, is_well=False)
    world.end_turn()
    scale(world, "m", 3)
    world.end_turn()
    assert state_of(world, ONE) is State.RETIRING


def test_a_growth_waits_for_those_that_come_back_from_a_crash() -> None:
    world = awake(replace(ELASTIC, scale=replace(SCALE, up_s=0.3)))
    for _ in range(3):
        world.die(next(iter(world.replicas.values())), Why.CRASHED)
        world.end_turn()
        while not world.replicas:
            world.ring()
        world.load("m")
    world.die(next(iter(world.replicas.values())), Why.CRASHED)
    for _ in range(7):
        world.arrive("m", 600.0)
    world.end_turn()
    assert not world.replicas
    while not world.replicas:
        world.ring()
    assert world.pool("m").wanted == 1, "who comes back was waited for"


def test_memory_bounds_a_growth_which_is_said_once() -> None:
    world = awake(resting(ELASTIC, needed_bytes=10, waits=True), budget=25)
    world.want("m")
    world.end_turn()
    world.load("m")
    for _ in range(30):
        world.arrive("m", 600.0)
    until(world, world.now + 30.0)
    assert (world.pool("m").wanted, world.pool("m").gauge.lacking) == (2, 2)
    assert Counter(world.news)["m", News.CROWDED] == 1
    world.load("m")
    world.answer_all()
    until(world, world.now + 5.0)
    for _ in range(30):
        world.arrive("m", 600.0)
    world.pass_time(0.0)
    assert len(world.replicas) == 2


def test_who_is_woken_begins_with_the_least() -> None:
    world = Caring({"m": KINDS["zero"]})
    assert not world.replicas
    for _ in range(9):
        world.arrive("m", 600.0)
    world.end_turn()
    assert len(world.replicas) == 1
    until(world, world.now + 1.0)
    assert world.pool("m").wanted == 3, "they wait, and that is a load"
    world.load("m")
    world.answer_all()
    until(world, world.now + 3.0)
    assert world.pool("m").wanted == 0
    world.bury_leavers()
    world.arrive("m", 600.0)
    world.end_turn()
    assert len(world.replicas) == 1


def test_a_deployment_that_goes_is_not_looked_at() -> None:
    engine = Engine()
    world = Caring({"m": ELASTIC})
    del engine
    world.load("m")
    world.ask_to_stop(30.0)
    for _ in range(7):
        world.pass_time(1.0)
    check(world.engine)
    assert world.pool("m").wanted <= 1


def test_whoever_asks_for_a_number_gets_one_that_is_allowed() -> None:
    world = awake(ELASTIC)
    for asked_for, wanted in ((9, 4), (0, 1), (3, 3)):
        world.tell(world.engine.scaled(world.pool("m").id, asked_for, world.now))
        world.end_turn()
        assert world.pool("m").wanted == wanted
