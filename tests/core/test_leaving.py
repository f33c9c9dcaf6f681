"""Deployments that go together: who may be called stays as long as somebody may call it."""

from __future__ import annotations

from headrace.core.draining import Stage
from headrace.core.engine import Engine
from headrace.core.messages import (
    Action,
    DeploymentId,
    Evict,
    ReplicaId,
    RequestId,
    Retired,
    Settle,
    Start,
    Why,
)
from headrace.core.records import NONE, Origin, Policy
from headrace.core.scaling import ScalePolicy

FRONT, BACK = DeploymentId("front"), DeploymentId("back")
BOTH = (FRONT, BACK)


def ready(*deployments: DeploymentId, policy: Policy | None = None) -> Engine:
    engine = Engine()
    for deployment in deployments:
        for action in engine.deployed(deployment, policy or Policy(slots=4), 0.0):
            assert isinstance(action, Start)
            engine.replica_ready(action.replica, 0.0)
    return engine


def asked(engine: Engine, number: int, deployment: DeploymentId, parent: int | None = None) -> None:
    origin = None if parent is None else Origin((RequestId(parent),))
    engine.arrived(RequestId(number), deployment, deadline=60.0, now=1.0, origin=origin)
    engine.ticked(1.0)


def finished(engine: Engine, deployment: DeploymentId, now: float) -> list[Action]:
    replica = ReplicaId(f"{deployment}/1")
    (serial, *_) = engine.fleet.copies[replica].calls
    return [*engine.finished(replica, serial, 0.1, now), *engine.ticked(now)]


def evicted(actions: list[Action]) -> set[str]:
    return {each.replica for each in actions if isinstance(each, Evict)}


def test_without_company_each_goes_with_its_own_last_request() -> None:
    engine = ready(*BOTH)
    asked(engine, 1, FRONT)
    assert evicted(engine.retired(BACK, 30.0, 2.0)) == {"back/1"}


def test_who_may_be_called_stays_for_its_callers() -> None:
    engine = ready(*BOTH)
    asked(engine, 1, FRONT)
    for each in BOTH:
        assert not evicted(engine.retired(each, 30.0, 2.0, BOTH))
    asked(engine, 2, BACK, parent=1)  # a request under way goes on asking
    assert not evicted(finished(engine, BACK, 3.0))
    actions = finished(engine, FRONT, 4.0)
    assert [each.request for each in actions if isinstance(each, Settle)] == [1]
    assert evicted(actions) == {"front/1", "back/1"}


def test_it_waits_no_longer_than_its_grace() -> None:
    engine = ready(*BOTH)
    asked(engine, 1, FRONT)
    for each in BOTH:
        engine.retired(each, 30.0, 2.0, BOTH)
    assert engine.pools[BACK].exit.next_at() == 32.0
    assert evicted(engine.ticked(32.0)) == {"front/1", "back/1"}


def test_company_that_is_gone_keeps_nobody() -> None:
    engine = ready(*BOTH)
    for each in BOTH:
        engine.retired(each, 30.0, 2.0, BOTH)
    for each in BOTH:
        gone = engine.replica_gone(
            ReplicaId(f"{each}/1"), Why.ASKED, claimed=NONE, now=3.0, chance=0.0
        )
        assert Retired(each) in [*gone, *engine.ticked(3.0)]
    assert not engine.pools
    assert not engine.leaving


def test_a_name_that_is_not_there_is_no_company() -> None:
    engine = ready(FRONT)
    engine.retired(FRONT, 30.0, 2.0, [DeploymentId("long-gone"), FRONT])
    assert engine.pools[FRONT].company == ()
    assert engine.pools[FRONT].exit.stage is Stage.EVICTING


def test_other_bounds_leave_the_replicas_that_may_stay() -> None:
    engine = ready(FRONT, policy=Policy(slots=4, replicas=2))
    more = engine.retuned(FRONT, Policy(slots=4, replicas=3), 1.0)
    assert [each.replica for each in more if isinstance(each, Start)] == ["front/3"]
    engine.replica_ready(ReplicaId("front/3"), 1.0)
    fewer = engine.retuned(FRONT, Policy(slots=4, replicas=1), 2.0)
    assert len(evicted(fewer)) == 2
    scale = ScalePolicy(least=2, most=4)
    grown = engine.retuned(FRONT, Policy(slots=4, replicas=2, scale=scale), 3.0)
    assert sum(isinstance(each, Start) for each in grown) == 1
    assert engine.pools[FRONT].wanted == 2
    assert engine.pools[FRONT].gauge.look_at < 60.0
    engine.retuned(FRONT, Policy(slots=4, replicas=2), 4.0)
    assert engine.pools[FRONT].gauge.look_at > 60.0
