"""Parents, children and what ends with whom."""

from __future__ import annotations

from math import inf

import pytest

from headrace.core.family import Families, origin_of
from headrace.core.messages import DeploymentId, Outcome, ReplicaId, RequestId, Serial, Settle
from headrace.core.records import Origin, Policy, Pool, Ticket
from headrace.errors import CallToAncestor
from tests.core.walk import POLICIES
from tests.core.world import World

ONE, TWO, THREE, FOUR = RequestId(1), RequestId(2), RequestId(3), RequestId(4)
FIRST = Serial(1)
OF_ONE = Origin((ONE,))


def child(number: RequestId, *parents: RequestId) -> Ticket:
    origin = Origin(parents) if parents else None
    return Ticket(number, Pool(DeploymentId("m"), Policy()), 0.0, 9.0, origin)


def test_children_end_in_the_order_they_were_born_in() -> None:
    families = Families()
    families.born(THREE, [ONE])
    families.born(TWO, [ONE])
    assert families.orphaned(ONE) == [TWO, THREE]
    assert families.orphaned(ONE) == []


def test_a_child_of_several_ends_with_the_last_of_them() -> None:
    families = Families()
    families.born(FOUR, [ONE, TWO, THREE])
    assert families.orphaned(TWO) == []
    assert families.orphaned(ONE) == []
    assert families.orphaned(THREE) == [FOUR]


def test_nothing_is_kept_of_a_family_that_ended() -> None:
    families = Families()
    families.born(TWO, [ONE])
    families.born(THREE, [ONE, TWO])
    for ticket in (child(TWO, ONE), child(THREE, ONE, TWO), child(ONE)):
        families.closed(ticket)
    assert not families.children
    assert not families.shared


def serving(**policies: Policy) -> World:
    world = World(policies)
    for copy in list(world.replicas.values()):
        world.get_ready(copy)
    return world


def running() -> World:
    world = serving(tasks=POLICIES["tasks"])
    world.arrive("tasks", 60.0)
    world.end_turn()
    return world


def test_a_child_lives_no_longer_than_its_parent() -> None:
    world = running()
    world.arrive("tasks", 600.0, OF_ONE)
    world.end_turn()
    assert world.requests[TWO].deadline == world.requests[ONE].deadline
    world.hang_up(ONE)
    assert world.requests[TWO].outcome is Outcome.CANCELLED


def test_what_a_batch_asks_for_may_take_as_long_as_its_last_request() -> None:
    world = running()
    world.arrive("tasks", 90.0)
    world.end_turn()
    world.arrive("tasks", 600.0, Origin((ONE, TWO)))
    world.end_turn()
    assert world.requests[THREE].deadline == world.requests[TWO].deadline
    world.hang_up(TWO)
    assert world.requests[THREE].outcome is None
    world.hang_up(ONE)
    assert world.requests[THREE].outcome is Outcome.CANCELLED


def test_what_is_detached_goes_on_by_its_own_deadline() -> None:
    world = running()
    world.arrive("tasks", 600.0, Origin((ONE,), detached=True))
    world.end_turn()
    world.hang_up(ONE)
    assert world.requests[TWO].outcome is None
    assert world.requests[TWO].deadline == world.now + 600.0
    world.arrive("tasks", 600.0, Origin((ONE,), detached=True))
    assert world.requests[THREE].outcome is None


def test_a_child_of_nobody_ends_on_arrival() -> None:
    world = running()
    world.hang_up(ONE)
    tasks = DeploymentId("tasks")
    born = world.engine.arrived(TWO, tasks, deadline=2000.0, now=world.now, origin=OF_ONE)
    assert born == [Settle(TWO, Outcome.CANCELLED)]
    assert TWO not in world.engine.tickets


def test_what_runs_may_still_ask_while_the_server_drains() -> None:
    world = running()
    world.ask_to_stop(30.0)
    world.arrive("tasks", 60.0, OF_ONE)
    assert world.requests[TWO].outcome is None


def test_a_stream_that_moves_its_deadline_does_not_shorten_what_it_asked_for() -> None:
    world = serving(streams=POLICIES["streams"], tasks=POLICIES["tasks"])
    world.arrive("streams", 60.0)
    world.end_turn()
    world.arrive("tasks", 600.0, OF_ONE)
    world.end_turn()
    assert world.requests[TWO].deadline == world.requests[ONE].latest


# --- for whom code asks ----------------------------------------------------------------------


def origin_in(world: World, replica: str, place: int) -> Origin | None:
    return origin_of(world.engine.fleet.copies.get(ReplicaId(replica)), FIRST, place)


def test_who_asks_is_found_by_the_place_in_a_call() -> None:
    world = running()
    (replica,) = {request.at[0] for request in world.requests.values() if request.at}
    assert origin_in(world, replica, 0) == OF_ONE
    assert origin_in(world, replica, -1) == OF_ONE
    assert origin_in(world, replica, 7) == Origin(())
    assert origin_in(world, "nobody/1", 0) == Origin(())
    assert origin_of(None, Serial(0), -1) is None
    world.hang_up(ONE)
    assert origin_in(world, replica, 0) == Origin(())


# --- a call that would wait for itself -------------------------------------------------------

ALONE = {"leaf": Policy(), "slots": Policy(slots=1)}


@pytest.mark.parametrize("name", ALONE)
def test_a_call_to_an_ancestor_that_holds_the_only_place_is_refused(name: str) -> None:
    world = serving(**{name: ALONE[name], "middle": Policy()})
    world.arrive(name, 60.0)
    world.end_turn()
    world.arrive("middle", 60.0, OF_ONE)
    world.end_turn()
    with pytest.raises(CallToAncestor, match=f"middle calls {name}") as refused:
        world.engine.arrived(
            THREE, DeploymentId(name), deadline=inf, now=world.now, origin=Origin((TWO,))
        )
    assert "max_ongoing_requests" in str(refused.value)
    assert THREE not in world.engine.tickets


@pytest.mark.parametrize(
    "policy", [Policy(replicas=2), Policy(slots=2), Policy(replicas=2, slots=1)]
)
def test_a_call_to_an_ancestor_runs_where_there_is_room(policy: Policy) -> None:
    world = serving(deep=policy)
    world.arrive("deep", 60.0)
    world.end_turn()
    world.arrive("deep", 60.0, OF_ONE)
    world.end_turn()
    assert world.requests[TWO].at is not None


def test_a_place_that_strangers_hold_will_be_free() -> None:
    world = serving(deep=Policy(replicas=2))
    for _ in range(2):
        world.arrive("deep", 60.0)
        world.end_turn()
    world.arrive("deep", 60.0, OF_ONE)
    assert world.requests[THREE].outcome is None


def test_a_detached_call_to_an_ancestor_waits_for_it() -> None:
    world = serving(leaf=Policy())
    world.arrive("leaf", 60.0)
    world.end_turn()
    world.arrive("leaf", 60.0, Origin((ONE,), detached=True))
    assert world.requests[TWO].outcome is None


def test_a_replica_that_still_loads_will_have_room() -> None:
    world = World({"leaf": Policy(replicas=2)})
    world.get_ready(next(iter(world.replicas.values())))
    world.arrive("leaf", 60.0)
    world.end_turn()
    world.arrive("leaf", 60.0, OF_ONE)
    assert world.requests[TWO].outcome is None
