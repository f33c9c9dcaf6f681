"""Parents, children and what ends with whom."""

from __future__ import annotations

from headrace.core.family import Families
from headrace.core.messages import DeploymentId, Outcome, RequestId, Settle
from headrace.core.records import Policy, Pool, Ticket
from tests.core.walk import POLICIES
from tests.core.world import World

ONE, TWO, THREE = RequestId(1), RequestId(2), RequestId(3)


def child(number: RequestId, parent: RequestId | None) -> Ticket:
    return Ticket(number, Pool(DeploymentId("m"), Policy()), 0.0, 9.0, parent)


def test_children_end_in_the_order_they_were_born_in() -> None:
    families = Families()
    families.born(THREE, ONE)
    families.born(TWO, ONE)
    assert families.orphaned(ONE) == [TWO, THREE]
    assert families.orphaned(ONE) == []


def test_nothing_is_kept_of_a_family_that_ended() -> None:
    families = Families()
    families.born(TWO, ONE)
    families.born(THREE, ONE)
    for ticket in (child(TWO, ONE), child(THREE, ONE), child(ONE, None)):
        families.closed(ticket)
    assert not families.children


def running() -> World:
    world = World({"tasks": POLICIES["tasks"]})
    for copy in list(world.replicas.values()):
        world.get_ready(copy)
    world.arrive("tasks", 60.0)
    world.end_turn()
    return world


def test_a_child_lives_no_longer_than_its_parent() -> None:
    world = running()
    world.arrive("tasks", 600.0, parent=ONE)
    world.end_turn()
    assert world.requests[TWO].deadline == world.requests[ONE].deadline
    world.hang_up(ONE)
    assert world.requests[TWO].outcome is Outcome.CANCELLED


def test_a_child_of_nobody_ends_on_arrival() -> None:
    world = running()
    world.hang_up(ONE)
    tasks = DeploymentId("tasks")
    born = world.engine.arrived(TWO, tasks, deadline=2000.0, now=world.now, parent=ONE)
    assert born == [Settle(TWO, Outcome.CANCELLED)]
    assert TWO not in world.engine.tickets


def test_what_runs_may_still_ask_while_the_server_drains() -> None:
    world = running()
    world.ask_to_stop(30.0)
    world.arrive("tasks", 60.0, parent=ONE)
    assert world.requests[TWO].outcome is None
