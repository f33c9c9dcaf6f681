"""Single stories that chance tells too seldom."""

from __future__ import annotations

import pytest

from headrace.core.batching import BatchPolicy
from headrace.core.engine import Engine
from headrace.core.messages import (
    DeploymentId,
    Outcome,
    RequestId,
    Send,
    Serial,
    Settle,
    Start,
    Stop,
    Why,
)
from headrace.core.records import Origin, Policy
from headrace.errors import ImpossibleStep
from tests.core.world import World

M = DeploymentId("m")
ONE, TWO, THREE = RequestId(1), RequestId(2), RequestId(3)


def ready(policy: Policy) -> World:
    world = World({"m": policy})
    for copy in list(world.replicas.values()):
        world.get_ready(copy)
    return world


def test_a_number_that_was_there_is_refused() -> None:
    world = ready(Policy())
    world.arrive("m", 60.0)
    with pytest.raises(ImpossibleStep, match="ours alone"):
        world.engine.arrived(ONE, M, deadline=2000.0, now=world.now)


def test_a_deployment_is_deployed_once() -> None:
    engine = Engine()
    (start,) = engine.deployed(M, Policy(), 0.0)
    assert isinstance(start, Start)
    with pytest.raises(ImpossibleStep, match="already"):
        engine.deployed(M, Policy(), 0.0)


def test_a_stopping_server_starts_no_replica() -> None:
    engine = Engine()
    engine.asked_to_stop(1.0, 0.0)
    assert engine.deployed(M, Policy(), 0.0) == []


def test_a_child_in_the_replica_that_its_parent_died_with_is_not_told_to_stop() -> None:
    world = ready(Policy(slots=3))
    world.arrive("m", 60.0)
    world.end_turn()
    world.arrive("m", 60.0, Origin((ONE,)))
    world.end_turn()
    (copy,) = world.replicas.values()
    copy.claim()
    copy.claim()
    world.die(copy, Why.CRASHED)  # the world would not find the replica of a Stop
    assert world.requests[ONE].outcome is None
    assert world.requests[TWO].outcome is Outcome.CANCELLED


def test_a_lone_request_goes_to_an_idle_replica_at_once_and_the_next_waits_for_the_turn() -> None:
    engine = Engine()
    (start,) = engine.deployed(M, Policy(), 0.0)
    assert isinstance(start, Start)
    engine.replica_ready(start.replica, 0.0)
    sent = engine.arrived(ONE, M, deadline=60.0, now=0.0)
    assert sent == [Send(start.replica, Serial(1), (ONE,))]
    assert not engine.arrived(TWO, M, deadline=60.0, now=0.0)
    assert engine.has_turn


def test_a_late_request_is_not_sent_however_idle_the_replica() -> None:
    engine = Engine()
    (start,) = engine.deployed(M, Policy(), 0.0)
    assert isinstance(start, Start)
    engine.replica_ready(start.replica, 1.0)
    assert not engine.arrived(ONE, M, deadline=1.0, now=1.0)
    assert engine.ticked(1.0) == [Settle(ONE, Outcome.EXPIRED)]


def test_who_left_behind_a_running_call_is_told_to_the_replica_when_its_call_begins() -> None:
    engine = Engine()
    (start,) = engine.deployed(M, Policy(), 0.0)
    assert isinstance(start, Start)
    engine.replica_ready(start.replica, 0.0)
    for number, serial in ((ONE, 1), (TWO, 2)):  # the pace is learned
        sent = engine.arrived(number, M, deadline=60.0, now=0.0)
        assert sent == [Send(start.replica, Serial(serial), (number,))]
        engine.finished(start.replica, Serial(serial), 0.001, 0.001)
    assert len(engine.arrived(THREE, M, deadline=60.0, now=1.0)) == 1
    assert not engine.arrived(RequestId(4), M, deadline=60.0, now=1.0)
    assert len([a for a in engine.ticked(1.0) if isinstance(a, Send)]) == 1
    engine.hung_up(RequestId(4), 1.0)
    ended = engine.finished(start.replica, Serial(3), 0.001, 1.001)
    assert Stop(start.replica, Serial(4), 0) in ended


def test_an_answer_to_a_call_that_was_taken_back_is_nobodys() -> None:
    world = ready(Policy())
    (copy,) = world.replicas.values()
    world.arrive("m", 60.0)
    world.end_turn()
    world.go_on(copy, 0.0001)
    for _ in range(3):
        world.arrive("m", 60.0)
    world.end_turn()
    copy.claim()
    copy.look()
    world.ring()  # it overruns: what waits behind the running call is taken back
    first, *_ = [call for call in copy.calls.values() if call.taken]
    world.finish_stale(copy.id, first.serial)
    assert all(world.requests[number].outcome is None for number in first.requests)


def test_two_that_were_returned_one_by_one_stand_in_their_old_order() -> None:
    world = ready(Policy(batch=BatchPolicy(1)))
    (copy,) = world.replicas.values()
    copy.trusted = False
    world.arrive("m", 60.0)
    world.end_turn()
    world.go_on(copy, 0.0001)
    for _ in range(4):
        world.arrive("m", 60.0)
    world.end_turn()
    assert len(copy.calls) == 4
    copy.claim()
    copy.look()
    world.ring()  # it overruns: three are recalled
    world.go_on(copy, 5.0)
    for _ in range(3):
        world.go_on(copy, 5.0)
    assert list(world.engine.pools[M].waiting) == [3, 4, 5]


def test_nothing_is_started_after_the_end() -> None:
    world = ready(Policy())
    (copy,) = world.replicas.values()
    world.die(copy, Why.CRASHED)
    world.ask_to_stop(0.0)
    assert world.drained == 1
    assert world.engine.ticked(world.now + 100.0) == []
