"""Names and generations: who serves, and that counters go on."""

from __future__ import annotations

from headrace.core.messages import DeploymentId
from headrace.core.records import Policy, Pool
from headrace.runtime.metrics import COUNTERS
from headrace.runtime.roster import Present, Roster

OLD, NEW, OTHER = DeploymentId("embed"), DeploymentId("embed@2"), DeploymentId("other")


def started(pool: Pool) -> float:
    return pool.started


def pools_of(*ids: DeploymentId) -> dict[DeploymentId, Pool]:
    return {each: Pool(each, Policy(), started=3) for each in ids}


def test_whom_nobody_spoke_of_serves_under_its_id() -> None:
    pools = pools_of(OLD, OTHER)
    assert Roster().serving(pools) == {"embed": pools[OLD], "other": pools[OTHER]}
    assert Roster().beside(pools, "embed") == []


def test_a_name_leads_to_one_generation_and_knows_the_others() -> None:
    roster, pools = Roster(), pools_of(OLD, NEW)
    roster.come(OLD, "embed")
    roster.switch([OLD])
    roster.come(NEW, "embed")
    assert roster.serving(pools) == {"embed": pools[OLD]}
    assert roster.beside(pools, "embed") == [pools[NEW]]
    roster.switch([NEW])
    assert roster.serving(pools) == {"embed": pools[NEW]}
    assert roster.beside(pools, "embed") == [pools[OLD]]


def test_counters_go_on_when_a_generation_is_gone() -> None:
    roster, pools = Roster(), pools_of(OLD, NEW)
    roster.come(OLD, "embed")
    roster.come(NEW, "embed")
    roster.switch([NEW])
    assert roster.counted(pools, "embed", started) == 6
    roster.leave(pools.pop(OLD), [started, *COUNTERS])
    assert roster.counted(pools, "embed", started) == 6
    pools[NEW].started += 1
    assert roster.counted(pools, "embed", started) == 7
    assert roster.counted(pools, "other", started) == 0


def test_it_tells_since_when_and_what_went_wrong() -> None:
    assert Present().told() == {"number": 1, "loaded_at": None}
    told = Present(2, 0.0, "no room").told()
    assert told == {
        "number": 2,
        "loaded_at": "1970-01-01T00:00:00+00:00",
        "last_reload_failed": "no room",
    }
