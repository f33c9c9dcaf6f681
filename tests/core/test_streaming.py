"""An answer in parts: its deadline moves, its reader gets credit, and it is never run again."""

from __future__ import annotations

from headrace.core import credit, streaming
from headrace.core.batching import BatchPolicy
from headrace.core.engine import Engine
from headrace.core.messages import (
    Action,
    Again,
    DeploymentId,
    Grant,
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

M = DeploymentId("m")
ONE, TWO = RequestId(1), RequestId(2)


def running(policy: Policy, *, deadline: float = 100.0) -> tuple[Engine, ReplicaId]:
    """Return an engine whose only replica runs request 1, at time 0."""
    engine = Engine()
    start, *_ = engine.deployed(M, policy, 0.0)
    assert isinstance(start, Start)
    engine.replica_ready(start.replica, 0.0)
    assert sent(engine.arrived(ONE, M, deadline=deadline, now=0.0)) == [(ONE,)]
    return engine, start.replica


def sent(actions: list[Action]) -> list[tuple[RequestId, ...]]:
    return [action.requests for action in actions if isinstance(action, Send)]


def test_a_stream_that_has_begun_is_lost_with_its_replica() -> None:
    for streamed in (False, True):
        engine, replica = running(Policy(slots=4, item_timeout_s=5.0))
        if streamed:
            assert streaming.part_came(engine, replica, Serial(1), 0, 1.0) == ONE
        out = engine.replica_gone(replica, Why.KILLED, claimed=Serial(1), now=2.0, chance=0.5)
        assert (Settle(ONE, Outcome.LOST) in out) is streamed
        assert (Again(ONE) in out) is not streamed


def test_a_request_may_be_run_again_or_not_whatever_its_deployment_says() -> None:
    for usual in (True, False):
        for allowed in (True, False):
            engine, replica = running(Policy(slots=4, retry_on_crash=usual))
            streaming.repeats(engine, ONE, allowed)
            out = engine.replica_gone(replica, Why.KILLED, claimed=Serial(1), now=2.0, chance=0.5)
            assert (Again(ONE) in out) is allowed
            assert (Settle(ONE, Outcome.LOST) in out) is not allowed
    engine, replica = running(Policy(slots=4))
    streaming.repeats(engine, ONE, allowed=True)
    streaming.part_came(engine, replica, Serial(1), 0, 1.0)  # its reader has seen something
    out = engine.replica_gone(replica, Why.KILLED, claimed=Serial(1), now=2.0, chance=0.5)
    assert Settle(ONE, Outcome.LOST) in out
    streaming.repeats(engine, TWO, allowed=True)  # it has ended: no news


def test_who_keeps_no_pace_has_until_the_requests_own_deadline_for_the_next_part() -> None:
    policy = Policy(slots=4, item_timeout_s=5.0, keeps_pace=False)
    engine, replica = running(policy, deadline=1000.0)
    assert Settle(ONE, Outcome.EXPIRED) in engine.ticked(5.0)  # the first part is due
    engine, replica = running(policy, deadline=1000.0)
    assert streaming.part_came(engine, replica, Serial(1), 0, 4.9) == ONE
    for _ in range(credit.WINDOW):
        streaming.part_came(engine, replica, Serial(1), 0, 5.0)
    streaming.took(engine, ONE, credit.WINDOW, 6.0)
    for now in (5.0, 20.0, 999.0):
        assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(now)
    assert Settle(ONE, Outcome.EXPIRED) in engine.ticked(1000.0)


def test_a_place_in_a_call_names_its_request_as_long_as_somebody_waits() -> None:
    engine, replica = running(Policy(slots=4))
    assert streaming.request_of(engine, replica, Serial(1), 0) == ONE
    assert streaming.request_of(engine, replica, Serial(2), 0) is None
    assert streaming.request_of(engine, ReplicaId("m/9"), Serial(1), 0) is None
    engine.hung_up(ONE, 1.0)
    assert streaming.request_of(engine, replica, Serial(1), 0) is None


def test_each_part_puts_the_deadline_off_but_not_beyond_the_requests_own() -> None:
    engine, replica = running(Policy(slots=4, item_timeout_s=5.0), deadline=12.0)
    for now in (4.0, 8.0, 11.0):
        assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(now)
        assert streaming.part_came(engine, replica, Serial(1), 0, now) == ONE
    assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(11.9)
    assert Settle(ONE, Outcome.EXPIRED) in engine.ticked(12.0)


def test_a_stream_that_falls_silent_expires() -> None:
    engine, replica = running(Policy(slots=4, item_timeout_s=5.0))
    streaming.part_came(engine, replica, Serial(1), 0, 3.0)
    assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(7.9)
    assert Settle(ONE, Outcome.EXPIRED) in engine.ticked(8.0)
    assert streaming.part_came(engine, replica, Serial(1), 0, 8.5) is None


def test_one_answer_of_a_batch_may_end_before_its_mates() -> None:
    engine = Engine()
    start, *_ = engine.deployed(M, Policy(batch=BatchPolicy(4, 1.0), send_ahead=False), 0.0)
    assert isinstance(start, Start)
    engine.replica_ready(start.replica, 0.0)
    for number in (ONE, TWO):
        engine.arrived(number, M, deadline=100.0, now=0.0)
    assert sent(engine.ticked(1.0)) == [(ONE, TWO)]
    assert streaming.ended_early(engine, start.replica, Serial(1), 0) == [
        Settle(ONE, Outcome.ANSWERED, 0)
    ]
    assert not streaming.ended_early(engine, start.replica, Serial(1), 0), "it ends once"
    out = engine.finished(start.replica, Serial(1), 1.0, 2.0)
    assert out == [Settle(TWO, Outcome.ANSWERED, 1)]
    assert not engine.tickets


def test_nothing_is_sent_ahead_where_nobody_knows_a_calls_end() -> None:
    engine, replica = running(Policy(send_ahead=False))
    engine.finished(replica, Serial(1), 0.001, 0.001)
    for number in range(2, 9):
        engine.arrived(RequestId(number), M, deadline=100.0, now=0.002)
    assert not sent(engine.ticked(0.002))
    engine.finished(replica, Serial(2), 0.001, 0.003)
    assert sent(engine.ticked(0.003)) == [(RequestId(3),)]


def test_credit_comes_in_portions() -> None:
    engine, replica = running(Policy(slots=4))
    grants = [streaming.took(engine, ONE, 3, 0.0) for _ in range(3)]
    assert grants == [[], [], [Grant(replica, Serial(1), 0, 9)]]
    assert not streaming.took(engine, TWO, 100, 0.0), "nobody of that number"
    assert credit.PORTION <= credit.WINDOW


def test_while_its_reader_has_no_room_no_part_is_due() -> None:
    engine, replica = running(Policy(slots=4, item_timeout_s=5.0))
    for _ in range(credit.WINDOW):
        assert streaming.part_came(engine, replica, Serial(1), 0, 1.0) == ONE
    assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(50.0)
    assert Grant(replica, Serial(1), 0, 8) in streaming.took(engine, ONE, 8, 60.0)
    assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(64.9)
    assert Settle(ONE, Outcome.EXPIRED) in engine.ticked(65.0)


def test_a_reader_without_room_has_until_the_requests_own_deadline() -> None:
    engine, replica = running(Policy(slots=4, item_timeout_s=5.0), deadline=30.0)
    for _ in range(credit.WINDOW):
        streaming.part_came(engine, replica, Serial(1), 0, 1.0)
    assert Settle(ONE, Outcome.EXPIRED) not in engine.ticked(29.9)
    assert Settle(ONE, Outcome.EXPIRED) in engine.ticked(30.0)
