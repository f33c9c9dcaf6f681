"""Jobs that come back by a timetable."""

from __future__ import annotations

import pytest

from headrace.core import schedules
from headrace.core.jobs import ENDED, LIVE, Status, UnixS
from headrace.core.schedules import Schedule

HOUR = 3600.0
MIDNIGHT = 1_700_006_400.0  # 2023-11-15


def utc(unix_s: float) -> float:
    return unix_s * 0.0


def test_a_new_timetable_waits_for_its_time() -> None:
    plan = schedules.planned("nightly", "0 4 * * *", UnixS(MIDNIGHT), utc, overlaps=False)
    assert plan.next_due == MIDNIGHT + 4 * HOUR
    with pytest.raises(ValueError, match="five"):
        schedules.planned("nightly", "daily", UnixS(MIDNIGHT), utc, overlaps=False)


def test_what_was_slept_through_is_made_up_for_once() -> None:
    plan = Schedule("nightly", "0 4 * * *", UnixS(MIDNIGHT + 4 * HOUR))
    turn = schedules.came_due(plan, None, UnixS(MIDNIGHT + 99 * HOUR), utc)
    assert turn.job == f"nightly-{int(MIDNIGHT + 4 * HOUR)}"
    assert turn.schedule.next_due == MIDNIGHT + 100 * HOUR


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("overlaps", [False, True])
def test_a_turn_is_left_out_while_its_forerunner_lives(*, status: Status, overlaps: bool) -> None:
    plan = Schedule("often", "*/5 * * * *", UnixS(MIDNIGHT), overlaps)
    turn = schedules.came_due(plan, status, UnixS(MIDNIGHT + 1), utc)
    assert (turn.job is None) is (status in LIVE and not overlaps)
    assert (turn.job is not None) is (status in ENDED or overlaps)
    assert turn.schedule.next_due == MIDNIGHT + 300


def test_one_turn_is_one_job_whoever_asks_how_often() -> None:
    plan = Schedule("often", "*/5 * * * *", UnixS(MIDNIGHT))
    ids = {schedules.came_due(plan, None, UnixS(MIDNIGHT + s), utc).job for s in range(5)}
    assert len(ids) == 1
