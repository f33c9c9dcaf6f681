"""A call that nobody waits for is interrupted, and a replica that hangs in one is replaced."""

from __future__ import annotations

from headrace.core.batching import BatchPolicy
from headrace.core.check import check
from headrace.core.engine import Engine
from headrace.core.messages import (
    Abort,
    Action,
    DeploymentId,
    Interrupt,
    Outcome,
    ReplicaId,
    RequestId,
    Send,
    Serial,
    Settle,
    Start,
    Why,
)
from headrace.core.records import Policy
from headrace.core.replicas import State

M = DeploymentId("m")
ONE, TWO, THREE = RequestId(1), RequestId(2), RequestId(3)
FIRST = Serial(1)
LOAD_S = 2.0


class Story:
    """An engine whose replicas took LOAD_S to load; `now` is the time since they are ready."""

    def __init__(self, policy: Policy) -> None:
        self.engine, self.now = Engine(), 0.0
        self.engine.deployed(M, policy, -LOAD_S)
        for replica in list(self.engine.fleet.copies):
            self.engine.replica_ready(replica, 0.0)

    @property
    def copies(self) -> list[ReplicaId]:
        return list(self.engine.pools[M].copies)

    def states(self) -> list[State]:
        return [copy.state for copy in self.engine.pools[M].copies.values()]

    def arrive(self, *requests: RequestId, deadline: float = 1000.0) -> list[Action]:
        out: list[Action] = []
        for request in requests:
            out += self.engine.arrived(request, M, deadline=deadline, now=self.now)
        return out + self.tick()

    def leave(self, *requests: RequestId) -> list[Action]:
        out: list[Action] = []
        for request in requests:
            out += self.engine.hung_up(request, self.now)
        return out + self.tick()

    def tick(self, now: float | None = None) -> list[Action]:
        self.now = self.now if now is None else now
        out = self.engine.ticked(self.now)
        check(self.engine, turn_ended_at=self.now)
        return out


def of(kind: type[Action], actions: list[Action]) -> list[Action]:
    return [action for action in actions if isinstance(action, kind)]


def test_a_call_is_interrupted_when_the_last_of_its_callers_left() -> None:
    story = Story(Policy(batch=BatchPolicy(2, 1.0)))
    story.arrive(ONE, TWO)
    assert not of(Interrupt, story.leave(ONE))
    assert of(Interrupt, story.leave(TWO)) == [Interrupt(story.copies[0], FIRST)]
    assert not of(Interrupt, story.tick(1.0)), "once"


def test_a_deadline_interrupts_as_leaving_does() -> None:
    story = Story(Policy())
    story.arrive(ONE, deadline=3.0)
    out = story.tick(3.0)
    assert Settle(ONE, Outcome.EXPIRED) in out
    assert Interrupt(story.copies[0], FIRST) in out


def test_a_call_that_ended_in_the_turn_its_caller_left_is_not_interrupted() -> None:
    story = Story(Policy())
    story.arrive(ONE)
    story.engine.hung_up(ONE, 0.0)
    story.engine.finished(story.copies[0], FIRST, 0.1, 0.1)
    assert not of(Interrupt, story.tick(0.1))


def test_a_call_that_was_cut_short_teaches_no_pace() -> None:
    story = Story(Policy())
    story.arrive(ONE)
    story.leave(ONE)
    story.engine.finished(story.copies[0], FIRST, 0.0, 0.1)
    assert story.engine.pools[M].pace.predict_s(1) < 0, "nothing is known"


def test_a_replica_is_replaced_after_the_grace_or_its_load_time_whichever_is_longer() -> None:
    for grace_s, due in ((5.0, 5.0), (0.5, LOAD_S)):
        story = Story(Policy(cancel_grace_s=grace_s))
        story.arrive(ONE)
        story.leave(ONE)
        assert not of(Abort, story.tick(due - 0.01))
        assert of(Abort, story.tick(due)) == [Abort(story.copies[0])]
        (old,) = story.copies
        story.engine.replica_gone(old, Why.ASKED, claimed=FIRST, now=due, chance=0.5)
        assert len(of(Start, story.tick())) == 1
        assert story.copies != [old]


def test_one_replica_at_a_time_is_replaced() -> None:
    story = Story(Policy(replicas=2))
    story.arrive(ONE, TWO)
    story.leave(ONE, TWO)
    first, second = story.copies
    assert of(Abort, story.tick(5.0)) == [Abort(first)]
    assert not of(Abort, story.tick(6.0))
    story.engine.replica_gone(first, Why.ASKED, claimed=FIRST, now=7.0, chance=0.5)
    assert len(of(Start, story.tick(7.0))) == 1
    assert not of(Abort, story.tick(8.0)), "the new one loads"
    story.engine.replica_ready(story.copies[-1], 9.0)
    assert of(Abort, story.tick(9.0)) == [Abort(second)]


def test_a_replica_that_fell_away_by_itself_counts_as_away_too() -> None:
    story = Story(Policy(replicas=2))
    story.arrive(ONE)
    story.leave(ONE)
    hanging, other = story.copies
    story.engine.replica_gone(other, Why.CRASHED, claimed=Serial(0), now=4.9, chance=0.5)
    assert not of(Abort, story.tick(5.0))
    story.tick(story.engine.alarm)
    story.engine.replica_ready(story.copies[-1], story.now)
    assert of(Abort, story.tick()) == [Abort(hanging)]


def test_a_replica_that_others_need_is_replaced_when_they_are_served() -> None:
    story = Story(Policy(slots=2))
    story.arrive(ONE, TWO)
    (copy,) = story.copies
    story.leave(ONE)
    assert not of(Abort, story.tick(5.0))
    assert story.states() == [State.QUITTING]
    assert not of(Send, story.arrive(THREE))
    story.engine.finished(copy, Serial(2), 0.1, 6.0)
    out = story.tick(6.0)
    assert of(Abort, out) == [Abort(copy)]
    assert not of(Send, out)
    story.engine.replica_gone(copy, Why.ASKED, claimed=Serial(2), now=6.5, chance=0.5)
    story.tick(6.5)
    story.engine.replica_ready(story.copies[0], 8.0)
    assert of(Send, story.tick(8.0)) == [Send(story.copies[0], FIRST, (THREE,))]


def test_a_replica_whose_call_ends_after_all_goes_on() -> None:
    story = Story(Policy(slots=2))
    story.arrive(ONE, TWO)
    story.leave(ONE)
    story.tick(5.0)
    story.engine.finished(story.copies[0], FIRST, 5.5, 5.5)
    story.tick(5.5)
    assert story.states() == [State.READY]
    assert len(of(Send, story.arrive(THREE))) == 1


def test_what_may_not_be_interrupted_is_left_alone() -> None:
    story = Story(Policy(cancel_grace_s=None))
    story.arrive(ONE)
    assert not of(Interrupt, story.leave(ONE))
    assert not of(Abort, story.tick(100.0))
    assert story.states() == [State.READY]


def test_at_shutdown_what_runs_is_interrupted_once_it_is_cut() -> None:
    story = Story(Policy())
    story.arrive(ONE)
    story.engine.asked_to_stop(1.0, 0.0)
    out = story.tick(1.0)
    assert Settle(ONE, Outcome.CUT) in out
    assert Interrupt(story.copies[0], FIRST) in out
    assert not of(Abort, story.tick(5.9))
