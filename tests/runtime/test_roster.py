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


def test_code_finds_its_own_kin_first_and_then_who_serves() -> None:
    roster = Roster()
    front, back, other = map(DeploymentId, ("text.front@2", "text.back@2", "back"))
    kin = {"front": front, "back": back}
    roster.come(front, "text.front", kin)
    roster.come(back, "text.back", kin)
    roster.come(other, "back", {"back": other})
    assert roster.find("back", front) == back  # its own, though nothing of it serves yet
    assert roster.find("text.back") is None
    roster.switch([front, back, other])
    assert roster.find("back", front) == back
    assert roster.find("back", other) == roster.find("back") == other
    assert roster.find("text.back", other) == back
    assert roster.find("front", other) == front  # nobody else is called so
    assert roster.find("nobody", front) is None
    assert roster.names(front) == ["front", "back", "text.front", "text.back"]
    assert roster.names() == ["text.front", "text.back", "back"]


def test_whose_kin_is_gone_finds_who_came_after() -> None:
    roster, pools = Roster(), pools_of(OLD, NEW)
    front = DeploymentId("front")
    roster.come(front, "front", {"front": front, "embed": OLD})
    roster.come(OLD, "embed", {"front": front, "embed": OLD})
    roster.come(NEW, "embed", {"embed": NEW})
    roster.switch([front, NEW])
    assert roster.find("embed", front) == OLD
    roster.leave(pools.pop(OLD), [])
    assert roster.find("embed", front) == NEW


def test_a_name_that_two_applications_have_means_neither() -> None:
    roster = Roster()
    for each in (DeploymentId("a.embed"), DeploymentId("b.embed")):
        roster.come(each, each, {"embed": each})
    roster.switch([DeploymentId("a.embed"), DeploymentId("b.embed")])
    assert roster.find("embed") is None
    assert roster.find("b.embed") == "b.embed"
