"""Models come when they are wanted, go when they are not, and never take more than there is."""

from __future__ import annotations

import os
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.loading import (
    NEXT,
    Candidate,
    Load,
    Presence,
    Times,
    Turn,
    advance,
    missed,
    to_evict,
)
from headrace.core.messages import DeploymentId, News, Outcome, Why
from headrace.core.records import Policy
from headrace.errors import ImpossibleStep, StillLoading
from tests.core.resting import Resting, resting, walk

SEEDS = 300 if "TESTS_SOAK" in os.environ else 12
ONE = Policy()


def world(budget: float = inf, **kinds: Policy) -> Resting:
    return Resting(kinds, budget)


def use(there: Resting, name: str) -> None:
    """Ask once, and be answered."""
    there.arrive(name, 60.0)
    there.end_turn()
    there.load(name)
    there.answer_all()


def outcomes(there: Resting) -> list[Outcome | None]:
    return [request.outcome for request in there.requests.values()]


def why_refused(there: Resting, name: str) -> tuple[str, float | None]:
    """Ask, and tell what the refusal says."""
    there.last += 1
    with pytest.raises(StillLoading) as refused:
        there.engine.arrived(there.last, DeploymentId(name), deadline=inf, now=there.now)  # type: ignore[arg-type]
    return str(refused.value), refused.value.retry_after_s


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_memory_holds_and_nobody_is_forgotten(seed: int) -> None:
    walk(seed, 300)


# --- lazy ----------------------------------------------------------------------------------


def test_a_lazy_model_sleeps_until_the_first_request_which_waits_for_it() -> None:
    there = world(m=resting(ONE, waits=True))
    there.pass_time(1000.0)
    assert not there.replicas
    there.arrive("m", 60.0)
    there.end_turn()
    assert len(there.replicas) == 1
    there.arrive("m", 60.0)
    there.load("m")
    there.answer_all()
    assert outcomes(there) == [Outcome.ANSWERED, Outcome.ANSWERED]


def test_or_is_refused_and_wakes_it_all_the_same() -> None:
    there = world(m=resting(ONE))
    there.arrive("m", 60.0)  # the world expects StillLoading
    there.turn_open = True
    there.end_turn()
    assert len(there.replicas) == 1
    assert not there.requests
    there.load("m")
    use(there, "m")
    assert outcomes(there) == [Outcome.ANSWERED]


def test_a_request_that_waits_keeps_its_deadline() -> None:
    there = world(m=resting(ONE, waits=True))
    there.arrive("m", 2.0)
    there.pass_time(2.0)
    assert outcomes(there) == [Outcome.EXPIRED]


def test_a_refusal_says_when_to_come_back_by_what_the_last_load_took() -> None:
    there = world(m=resting(ONE, idle_unload_s=1.0))
    there.want("m")
    there.pass_time(20.0)
    there.load("m")
    there.pass_time(5.0)
    there.bury_leavers()
    assert why_refused(there, "m") == ("m is still loading", 20.0)
    there.turn_open = True
    there.pass_time(15.0)
    assert why_refused(there, "m")[1] == 5.0


# --- in the background ---------------------------------------------------------------------


def test_one_in_the_background_begins_at_once_and_holds_up_nobody() -> None:
    there = world(m=resting(ONE, Load.BACKGROUND))
    there.turn_open = True
    there.end_turn()
    assert len(there.replicas) == 1
    assert not there.pool("m").rest.gates
    there.die(next(iter(there.replicas.values())), Why.SETUP)
    there.end_turn()
    assert there.given_up == []
    there.ring()  # it is tried again without being asked for
    assert len(there.replicas) == 1


# --- by timetable --------------------------------------------------------------------------


def test_one_on_a_timetable_is_shut_until_then_and_after() -> None:
    there = world(m=resting(ONE, Load.SCHEDULED, waits=True))
    rest = there.pool("m").rest
    rest.opens, rest.opens_at = "06:00", there.now + 500.0
    told = ("m is not loaded at this time of day and is loaded next at 06:00", 500.0)
    assert why_refused(there, "m") == told
    there.want("m")
    there.end_turn()
    use(there, "m")
    assert outcomes(there) == [Outcome.ANSWERED]
    there.arrive("m", 60.0)
    there.unwant("m")
    there.end_turn()
    assert why_refused(there, "m")[0] == told[0]
    assert there.presence("m") is Presence.CLOSING  # not before the last one has its answer
    there.answer_all()
    assert outcomes(there) == [Outcome.ANSWERED, Outcome.ANSWERED]
    assert there.presence("m") is Presence.SHUT
    assert all(copy.evicted for copy in there.replicas.values())


LOADS, UNLOADS = 100.0, 200.0


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        (99.0, None),
        (100.0, Turn.WANTED),
        (199.0, Turn.WANTED),
        (200.0, Turn.UNWANTED),  # a laptop slept through both: the later one counts
    ],
)
def test_what_was_slept_through_is_made_up_for(now: float, asked: Turn | None) -> None:
    assert missed(Times(LOADS, UNLOADS), now) is asked


def test_between_a_load_and_its_unload_it_is_open() -> None:
    assert Times(loads_at=300.0, unloads_at=200.0).is_open
    assert not Times(loads_at=100.0, unloads_at=200.0).is_open
    assert not Times(loads_at=100.0).is_open


# --- idle ----------------------------------------------------------------------------------


def test_an_idle_model_goes_when_nobody_has_used_it_for_so_long() -> None:
    there = world(m=resting(ONE, Load.EAGER, idle_unload_s=10.0, waits=True))
    there.load("m")
    there.pass_time(9.0)
    use(there, "m")
    there.pass_time(9.9)
    assert there.presence("m") is Presence.AWAKE
    there.pass_time(0.1)
    assert there.presence("m") is Presence.ASLEEP
    assert there.news[-1] == ("m", News.IDLE)
    there.bury_leavers()
    use(there, "m")
    assert outcomes(there) == [Outcome.ANSWERED, Outcome.ANSWERED]


def test_one_that_works_for_long_is_not_idle() -> None:
    there = world(m=resting(ONE, Load.EAGER, idle_unload_s=1.0))
    there.load("m")
    there.arrive("m", 600.0)
    for _ in range(50):
        there.pass_time(1.0)
    assert there.presence("m") is Presence.AWAKE
    there.answer_all()
    there.pass_time(0.9)
    assert there.presence("m") is Presence.AWAKE
    there.pass_time(0.1)
    assert there.presence("m") is Presence.ASLEEP


def test_one_that_does_not_tear_down_in_time_is_killed() -> None:
    there = world(m=resting(ONE, Load.EAGER, idle_unload_s=1.0))
    there.load("m")
    there.pass_time(1.0)
    killed: list[object] = []
    there.do_to_replicas = killed.append  # type: ignore[method-assign, assignment]
    there.pass_time(5.0)
    assert [type(action).__name__ for action in killed] == ["Kill"]


# --- memory --------------------------------------------------------------------------------


def three_and_room_for_two() -> Resting:
    kind = resting(ONE, waits=True)
    there = world(25.0, a=kind, b=kind, c=kind)
    for name in ("a", "b"):
        there.pass_time(1.0)
        use(there, name)
    return there


def test_of_three_models_with_room_for_two_the_least_recently_used_goes() -> None:
    there = three_and_room_for_two()
    there.pass_time(1.0)
    use(there, "a")
    there.pass_time(1.0)
    there.arrive("c", 60.0)
    there.end_turn()
    assert there.presence("b") is Presence.ASLEEP
    assert there.presence("a") is Presence.AWAKE
    assert not there.of("c"), "b has not ended yet: its memory is still taken"
    there.bury_leavers()
    there.load("c")
    there.answer_all()
    assert outcomes(there) == [Outcome.ANSWERED] * 4
    assert ("b", News.EVICTED) in there.news


def test_none_that_works_is_evicted_the_load_waits_and_says_so() -> None:
    there = three_and_room_for_two()
    there.arrive("a", 600.0)
    there.arrive("b", 600.0)
    there.end_turn()
    there.arrive("c", 600.0)
    there.end_turn()
    assert there.news[-1] == ("c", News.SHORT)
    assert there.pool("c").rest.missing_bytes == 5
    there.pass_time(100.0)
    assert not there.of("c")
    there.answer_all()
    there.bury_leavers()
    there.load("c")
    there.answer_all()
    assert outcomes(there) == [Outcome.ANSWERED] * 5


def test_one_that_was_just_loaded_stays_for_whoever_was_told_to_come_back() -> None:
    there = world(15.0, a=resting(ONE), b=resting(ONE))
    there.want("a")
    there.end_turn()
    there.load("a")
    there.want("b")
    there.end_turn()
    assert there.presence("a") is Presence.AWAKE
    there.ring()
    assert there.presence("a") is Presence.ASLEEP


def test_none_goes_before_it_has_served_as_long_as_it_took_to_load() -> None:
    kind = resting(ONE, waits=True)
    there = world(15.0, a=kind, b=kind)
    there.arrive("a", 60.0)
    there.pass_time(20.0)
    there.load("a")
    there.answer_all()
    there.arrive("b", 60.0)
    there.pass_time(19.9)
    assert there.presence("a") is Presence.AWAKE
    there.ring()
    assert there.presence("a") is Presence.ASLEEP


def test_a_measured_model_counts_with_what_was_measured() -> None:
    there = world(15.0, a=resting(ONE, needed_bytes=None), b=resting(ONE))
    use_if_let_in(there, "a")
    there.pool("a").rest.measured_bytes = 12
    there.want("b")
    there.end_turn()
    assert not there.of("b")


def test_if_one_takes_more_than_was_known_the_least_recently_used_goes() -> None:
    kind = resting(ONE, needed_bytes=None, waits=True)
    there = world(15.0, a=kind, b=kind)
    for name in ("a", "b"):
        use(there, name)
        there.pass_time(1.0)
        there.pool(name).rest.measured_bytes = 10
    there.want("b")
    there.arrive("b", 60.0)
    there.pool("b").restless = True  # as when it has become ready
    there.end_turn()
    assert there.presence("a") is Presence.ASLEEP
    assert there.presence("b") is Presence.AWAKE


def use_if_let_in(there: Resting, name: str) -> None:
    there.want(name)
    there.end_turn()
    use(there, name)


def test_one_that_can_never_fit_is_refused_and_says_why() -> None:
    there = world(15.0, m=resting(ONE, needed_bytes=16, waits=True))
    there.arrive("m", 60.0)
    there.end_turn()
    assert outcomes(there) == [Outcome.UNREADY]
    said = "m could not be loaded: it needs 16 bytes, and memory_budget_bytes is less"
    assert why_refused(there, "m")[0] == said


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), max_size=8), st.integers(1, 100))
def test_eviction_frees_enough_or_nothing_and_nobody_goes_before_an_elder(
    found: list[tuple[float, int]], missing: int
) -> None:
    able = [Candidate(str(n), used_at, size) for n, (used_at, size) in enumerate(found)]
    chosen = set(to_evict(missing, able))
    freed = sum(each.size_bytes for each in able if each.name in chosen)
    if not chosen:
        assert sum(each.size_bytes for each in able) < missing
        return
    assert freed >= missing
    latest = max(each.used_at for each in able if each.name in chosen)
    for each in able:
        assert each.name in chosen or not each.size_bytes or each.used_at >= latest


# --- failing -------------------------------------------------------------------------------


def test_who_waited_for_a_load_that_fails_hears_of_it_and_the_next_try_waits_longer() -> None:
    there = world(m=resting(ONE, waits=True))
    waits = []
    for _ in range(4):
        there.arrive("m", 600.0)
        there.end_turn()
        (copy,) = there.replicas.values()
        there.die(copy, Why.SETUP)
        there.end_turn()
        assert set(outcomes(there)) == {Outcome.UNREADY}
        there.pool("m").rest.fault = "its setup raised OSError"
        said, _ = why_refused(there, "m")
        assert said == "m could not be loaded: its setup raised OSError"
        waits.append(there.pool("m").rest.retry_at - there.now)
        there.pass_time(waits[-1])
    assert waits == [0.5, 1.0, 2.0, 4.0]
    use(there, "m")
    assert there.pool("m").rest.failures == 0


def test_a_shutdown_does_not_wait_for_a_model_that_nobody_loads_any_more() -> None:
    kind = resting(ONE, waits=True)
    there = world(15.0, a=kind, b=kind)
    use(there, "a")
    there.arrive("a", 60.0)
    there.end_turn()
    there.arrive("b", 60.0)
    there.end_turn()
    there.ask_to_stop(30.0)
    assert outcomes(there) == [Outcome.ANSWERED, None, Outcome.UNREADY]
    there.come_to_an_end()


# --- the table -----------------------------------------------------------------------------


def test_a_turn_that_the_table_does_not_have_is_refused() -> None:
    for presence in Presence:
        for turn in Turn:
            if (presence, turn) in NEXT:
                assert advance(presence, turn) is NEXT[presence, turn]
            else:
                with pytest.raises(ImpossibleStep):
                    advance(presence, turn)
