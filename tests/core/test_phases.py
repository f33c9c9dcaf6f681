"""A request's life, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headrace.core import phases
from headrace.core.phases import NEXT, Phase, Step
from headrace.errors import ImpossibleStep

COLUMNS: Mapping[Step, phases.After] = {
    Step.SEND: phases.after_send,
    Step.CLAIM: phases.after_claim,
    Step.RETURN: phases.after_return,
    Step.ABANDON: phases.after_abandon,
    Step.RELEASE: phases.after_release,
    Step.LOSE: phases.after_lose,
    Step.PART: phases.after_part,
}


def test_every_step_has_its_column_of_the_table() -> None:
    rows = {(p, step): after for step, column in COLUMNS.items() for p, after in column.items()}
    assert rows == NEXT


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("phase", Phase)
def test_a_step_without_a_row_is_refused(phase: Phase, step: Step) -> None:
    if (phase, step) not in NEXT:
        with pytest.raises(ImpossibleStep, match=f"{step.name} is not possible in {phase.name}"):
            COLUMNS[step][phase]


def test_nothing_leaves_closed() -> None:
    assert not [row for row in NEXT if row[0] is Phase.CLOSED]


def test_whoever_left_never_waits_or_runs_again() -> None:
    after = {NEXT[phase, step] for phase, step in NEXT if phase is Phase.LEAVING}
    assert after == {Phase.LEAVING, Phase.CLOSED}


def test_every_phase_is_reached_and_can_be_closed() -> None:
    assert set(NEXT.values()) == set(Phase)
    for phase in set(Phase) - {Phase.CLOSED}:
        assert (phase, Step.ABANDON) in NEXT
