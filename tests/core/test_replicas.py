"""A replica's life, and how long to wait before the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.replicas import LONGEST_DELAY_S, NEXT, State, Turn, advance, restart_delay_s
from headrace.errors import ImpossibleStep

CHANCE = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("turn", Turn)
@pytest.mark.parametrize("state", State)
def test_the_table_decides(state: State, turn: Turn) -> None:
    if (state, turn) in NEXT:
        assert advance(state, turn) is NEXT[state, turn]
    else:
        with pytest.raises(ImpossibleStep, match=f"{turn.name} is not possible in {state.name}"):
            advance(state, turn)


def test_every_replica_can_die_once() -> None:
    for state in State:
        assert ((state, Turn.DIED) in NEXT) == (state is not State.GONE)


@given(CHANCE)
def test_the_first_fall_of_a_steady_replica_costs_no_wait(chance: float) -> None:
    assert restart_delay_s(0, chance) == 0.0


@given(st.integers(1, 1000), CHANCE)
def test_a_delay_is_bounded_and_spread(falls: int, chance: float) -> None:
    calm = min(LONGEST_DELAY_S, 0.5 * 2 ** (min(falls, 10) - 1))
    assert 0.75 * calm <= restart_delay_s(falls, chance) <= 1.25 * calm


@given(st.integers(1, 50), CHANCE)
def test_every_fall_waits_at_least_as_long_as_the_one_before(falls: int, chance: float) -> None:
    assert restart_delay_s(falls, chance) <= restart_delay_s(falls + 1, chance)
