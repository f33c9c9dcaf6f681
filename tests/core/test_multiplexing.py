"""Which replica gets a request for one of many models: where it is, else where there are fewest."""

from __future__ import annotations

from random import Random

import pytest

from headrace.core import multiplexing
from headrace.core.batching import BatchPolicy
from headrace.core.check import check
from headrace.core.engine import Engine
from headrace.core.messages import (
    Action,
    DeploymentId,
    ReplicaId,
    RequestId,
    Send,
    Serial,
    Start,
    WakeAt,
    Why,
)
from headrace.core.records import Policy

M = DeploymentId("m")
ONE, TWO, THREE = (ReplicaId(f"m/{number}") for number in (1, 2, 3))


class Fleet:
    """Replicas that hold models, and what was sent to each."""

    def __init__(self, policy: Policy) -> None:
        self.engine, self.now, self.last = Engine(), 1000.0, 0
        self.sent: dict[int, tuple[ReplicaId, Serial]] = {}
        self.calls: list[tuple[ReplicaId, Serial, tuple[int, ...]]] = []
        self.alarm = float("inf")
        for action in self.engine.deployed(M, policy, self.now):
            assert isinstance(action, Start)
            self.engine.replica_ready(action.replica, self.now)

    def holds(self, replica: ReplicaId, *models: str, load_s: float = 0.0) -> None:
        multiplexing.holds(self.engine, replica, models, load_s)

    def ask(self, *models: str) -> list[int]:
        """Let requests arrive in one turn; return their numbers."""
        numbers = []
        for model in models:
            self.last += 1
            numbers.append(self.last)
            number, deadline = RequestId(self.last), self.now + 600.0
            self.do(self.engine.arrived(number, M, deadline=deadline, now=self.now, model_id=model))
        self.tick()
        return numbers

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.do(self.engine.ticked(self.now))
        check(self.engine, turn_ended_at=self.now)

    def finish(self, *numbers: int) -> None:
        for number in numbers:
            self.do(self.engine.finished(*self.sent[number], 0.001, self.now))
        self.tick()

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self.calls.append((action.replica, action.serial, action.requests))
                for number in action.requests:
                    self.sent[number] = (action.replica, action.serial)
            elif isinstance(action, WakeAt):
                self.alarm = action.when

    def where(self, *numbers: int) -> list[ReplicaId | None]:
        return [self.sent[number][0] if number in self.sent else None for number in numbers]


def tasks(replicas: int, slots: int = 2) -> Fleet:
    return Fleet(Policy(replicas=replicas, slots=slots, multiplexed=True))


def leaves(replicas: int) -> Fleet:
    return Fleet(Policy(replicas=replicas, multiplexed=True))


# --- where a request goes: two replicas, one holds a and b, the other c ----------------------


@pytest.mark.parametrize(
    ("busy", "model", "expected"),
    [
        ([], "a", ONE),
        ([], "c", TWO),
        ([], "new", TWO),  # it has fewer
        (["a"], "b", ONE),  # it has room
        (["a"], "", TWO),  # any will do: the one with least to do
        (["a", "b"], "new", TWO),
        (["c", "c"], "new", ONE),  # the other has fewer, and no room
        (["c", "c"], "c", None),  # it waits for its own
        (["a", "b", "c", "c"], "new", None),
    ],
)
def test_a_request_goes_where_its_model_is(
    busy: list[str], model: str, expected: ReplicaId | None
) -> None:
    fleet = tasks(2)
    fleet.holds(ONE, "a", "b")
    fleet.holds(TWO, "c")
    for each in busy:
        fleet.ask(each)
    assert fleet.where(*fleet.ask(model)) == [expected]


def test_requests_under_way_tell_where_a_model_will_be() -> None:
    fleet = tasks(3, slots=8)
    assert set(fleet.where(*fleet.ask("a", "a", "a", "a"))) == {ONE}
    assert fleet.where(*fleet.ask("b", "c", "b", "a")) == [TWO, THREE, TWO, ONE]


def test_a_model_that_could_not_be_loaded_is_forgotten_with_its_requests() -> None:
    fleet = tasks(2)
    (number,) = fleet.ask("bad")
    assert fleet.where(number) == [ONE]
    fleet.finish(number)
    fleet.holds(ONE, "a")
    assert fleet.where(*fleet.ask("bad")) == [TWO]  # the one with fewer, not the one it was at


def test_a_dead_replica_has_no_models() -> None:
    fleet = tasks(2)
    fleet.holds(ONE, "a")
    fleet.holds(TWO, "b", "c")
    gone = fleet.engine.replica_gone(ONE, Why.KILLED, claimed=Serial(0), now=fleet.now, chance=0.5)
    fleet.do(gone)
    fleet.tick()
    multiplexing.holds(fleet.engine, ONE, ["a"], 0.1)  # its last words
    assert fleet.where(*fleet.ask("a")) == [TWO]


# --- to wait, or to load once more -------------------------------------------------------


def test_it_waits_for_its_holder_as_long_as_a_load_takes_and_no_longer() -> None:
    fleet = leaves(2)
    fleet.holds(ONE, "a", load_s=0.4)
    (first,) = fleet.ask("a")
    (second,) = fleet.ask("a")
    assert fleet.where(first, second) == [ONE, None]
    assert fleet.alarm == pytest.approx(fleet.now + 0.4)
    fleet.tick(0.39)
    assert fleet.where(second) == [None]
    fleet.tick(0.02)
    assert fleet.where(second) == [TWO]


def test_it_goes_home_as_soon_as_there_is_room() -> None:
    fleet = leaves(2)
    fleet.holds(ONE, "a", load_s=0.4)
    (first,) = fleet.ask("a")
    (second,) = fleet.ask("a")
    fleet.tick(0.1)
    fleet.finish(first)
    assert fleet.where(second) == [ONE]


def test_what_a_load_takes_is_learned() -> None:
    fleet = leaves(1)
    pool = fleet.engine.pools[M]
    assert multiplexing.patience_s(pool) == multiplexing.UNKNOWN_LOAD_S
    for load_s in (2.0, 4.0):
        fleet.holds(ONE, "a", load_s=load_s)
    fleet.holds(ONE, "b")  # an eviction tells nothing
    assert multiplexing.patience_s(pool) == pytest.approx(2.5)


def test_whoever_waits_for_a_holder_holds_up_nobody_else() -> None:
    fleet = leaves(2)
    fleet.holds(ONE, "a", load_s=0.4)
    first, second, other = fleet.ask("a", "a", "b")
    assert fleet.where(first, second, other) == [ONE, None, TWO]


# --- order ---------------------------------------------------------------------------------


def test_of_those_who_want_one_model_the_eldest_goes_first() -> None:
    fleet = leaves(1)
    fleet.holds(ONE, "a", "b")
    numbers = fleet.ask("a", "b", "a", "b")
    for number in numbers:
        fleet.finish(number)
    assert [requests for _, _, requests in fleet.calls] == [(n,) for n in numbers]


def test_those_whose_model_is_there_pass_a_few_times_and_not_for_ever() -> None:
    fleet = tasks(1, slots=1)
    fleet.holds(ONE, "a")
    (running,) = fleet.ask("a")
    (stranger,) = fleet.ask("new")
    passed = 0
    while stranger not in fleet.sent:
        fleet.ask("a")
        fleet.finish(running)
        running = fleet.calls[-1][2][0]
        passed += running != stranger
        assert passed <= multiplexing.PASSES
    assert passed == multiplexing.PASSES
    assert fleet.engine.pools[M].passed == 0


def test_nobody_is_passed_where_there_is_room_for_all() -> None:
    fleet = tasks(2)
    fleet.holds(ONE, "a")
    assert fleet.where(*fleet.ask("new", "a", "new")) == [TWO, ONE, TWO]


# --- batches -------------------------------------------------------------------------------


def test_a_batch_is_for_one_model() -> None:
    policy = Policy(replicas=2, batch=BatchPolicy(4), multiplexed=True)
    fleet = Fleet(policy)
    fleet.holds(ONE, "a")
    fleet.holds(TWO, "b")
    fleet.ask(*"abababb")
    assert fleet.calls[:2] == [(ONE, 1, (1,)), (TWO, 1, (2,))]  # each at once: they were idle
    fleet.finish(1)
    fleet.finish(2)
    assert fleet.calls[2:] == [(ONE, 2, (3, 5)), (TWO, 2, (4, 6, 7))]


def test_a_batch_that_waits_for_more_lets_a_full_one_for_another_model_go() -> None:
    policy = Policy(replicas=1, batch=BatchPolicy(2, 0.5), multiplexed=True)
    fleet = Fleet(policy)
    fleet.holds(ONE, "a", "b")
    numbers = fleet.ask("a", "b", "b")
    assert fleet.where(*numbers) == [None, ONE, ONE]
    assert fleet.alarm == pytest.approx(fleet.now + 0.5)
    fleet.finish(numbers[1])
    fleet.tick(0.5)
    assert fleet.where(numbers[0]) == [ONE]


# --- what it is worth: a crowd over more models than there are places ------------------------


def loads_of(chance: Random, *, passes: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Play 48 clients over 6 models and 3 replicas with 2 places; count loads and answers."""
    monkeypatch.setattr(multiplexing, "PASSES", passes)
    fleet = tasks(3, slots=4)
    held: dict[ReplicaId, list[str]] = {ONE: [], TWO: [], THREE: []}
    models, loads, answers = "abcdef", 0, 0
    fleet.ask(*(chance.choice(models) for _ in range(48)))
    begun = 0
    for _ in range(300):
        for replica, _, requests in fleet.calls[begun:]:
            ticket = fleet.engine.tickets[RequestId(requests[0])]
            there = held[replica]
            if ticket.model_id in there:
                there.remove(ticket.model_id)
            else:
                loads += 1
                fleet.now += 0.1
            held[replica] = [*there, ticket.model_id][-2:]
            fleet.holds(replica, *held[replica], load_s=0.1)
        begun = len(fleet.calls)
        running = [number for number in fleet.sent if number in fleet.engine.tickets]
        answers += 1
        fleet.finish(chance.choice(running))
        fleet.now += 0.001
        fleet.ask(chance.choice(models))
    return loads, answers


def test_a_crowd_does_not_make_every_request_a_load(monkeypatch: pytest.MonkeyPatch) -> None:
    few, answers = loads_of(Random(1), passes=multiplexing.PASSES, monkeypatch=monkeypatch)
    many, _ = loads_of(Random(1), passes=0, monkeypatch=monkeypatch)
    assert few < answers / 10
    assert many > 3 * few
