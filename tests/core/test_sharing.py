"""Online goes first; what waits in the background has a tenth, and all that nobody else wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from math import inf

import pytest

from headrace.core import background, sending
from headrace.core.batching import BatchPolicy
from headrace.core.check import check
from headrace.core.engine import Engine
from headrace.core.messages import (
    Action,
    DeploymentId,
    Due,
    Left,
    Outcome,
    ReplicaId,
    RequestId,
    Send,
    Serial,
    Settle,
    Start,
    Why,
)
from headrace.core.records import Lower, Policy
from headrace.core.sharing import SHARE
from headrace.errors import Draining, StillLoading

NOW = 1000.0
HERE = DeploymentId("here")
CALL_S = 0.1


@dataclass
class Desk:
    """One deployment with replicas that are ready; who is sent is written down."""

    policy: Policy
    engine: Engine = field(default_factory=Engine)
    now: float = NOW
    sent: list[tuple[ReplicaId, Serial, list[str]]] = field(default_factory=list)
    told: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        starts = self.engine.deployed(HERE, self.policy, self.now)
        self.replicas = [action.replica for action in starts if isinstance(action, Start)]
        for replica in self.replicas:
            self.heed(self.engine.replica_ready(replica, self.now))

    @property
    def pool_owed(self) -> float:
        return self.engine.pools[HERE].owed

    def heed(self, actions: list[Action]) -> None:
        self.told += actions
        for action in actions:
            if isinstance(action, Send):
                kinds = [self.kind(number) for number in action.requests]
                self.sent.append((action.replica, action.serial, kinds))
        check(self.engine)

    def kind(self, number: RequestId) -> str:
        return "online" if self.engine.tickets[number].lower is None else "behind"

    def online(self, requests: int = 1) -> None:
        for _ in range(requests):
            number = RequestId(next(self._numbers))
            self.heed(self.engine.arrived(number, HERE, deadline=inf, now=self.now))

    def behind(self, requests: int = 1, lower: Lower | None = None) -> list[RequestId]:
        numbers = [RequestId(next(self._numbers)) for _ in range(requests)]
        for number in numbers:
            background.arrived(self.engine, number, HERE, lower or Lower(), self.now)
        return numbers

    def turn(self) -> None:
        self.heed(self.engine.ticked(self.now))
        check(self.engine, turn_ended_at=self.now)

    def finish(self, took_s: float = CALL_S) -> list[str]:
        """End the eldest call of the first replica that has one; return what was in it."""
        replica, serial, kinds = self.sent.pop(0)
        self.now += took_s
        self.heed(self.engine.finished(replica, serial, took_s, self.now))
        self.turn()
        return kinds

    def flat(self) -> list[str]:
        return [kind for _, _, kinds in self.sent for kind in kinds]


def test_online_goes_first() -> None:
    desk = Desk(Policy())
    desk.behind(5)
    desk.online(2)
    desk.turn()
    assert [desk.finish()[0] for _ in range(4)] == ["online", "online", "behind", "behind"]


def test_alone_it_runs_at_full_speed() -> None:
    desk = Desk(Policy(replicas=2, batch=BatchPolicy(4)))
    desk.behind(20)
    desk.turn()
    assert [len(kinds) for _, _, kinds in desk.sent] == [4, 4]
    assert desk.finish() == ["behind"] * 4
    assert len(desk.sent) == 2, "the replica has its next call at once"


def test_it_fills_up_batches() -> None:
    desk = Desk(Policy(batch=BatchPolicy(8)))
    desk.online(1)
    desk.behind(20)
    desk.online(3)
    desk.finish()
    assert desk.flat() == ["online"] * 3 + ["behind"] * 5


def test_a_batch_that_it_fills_does_not_wait_for_others() -> None:
    desk = Desk(Policy(batch=BatchPolicy(4, max_wait_s=1.0)))
    desk.online(2)
    desk.turn()
    assert not desk.sent
    desk.behind(2)
    desk.turn()
    assert desk.flat() == ["online", "online", "behind", "behind"]


def test_a_batch_of_it_alone_waits_as_others_do() -> None:
    desk = Desk(Policy(batch=BatchPolicy(4, max_wait_s=1.0)))
    desk.behind(2)
    desk.turn()
    assert not desk.sent
    assert desk.engine.alarm == NOW + 1.0
    desk.now += 1.0
    desk.turn()
    assert desk.flat() == ["behind", "behind"]


@pytest.mark.parametrize("took_s", [0.0005, 0.1])
@pytest.mark.parametrize(
    ("size", "replicas", "slots"), [(1, 1, 0), (1, 3, 0), (4, 2, 0), (16, 1, 0), (1, 1, 2)]
)
def test_where_online_wants_everything_it_has_a_tenth(
    size: int, replicas: int, slots: int, took_s: float
) -> None:
    desk = Desk(Policy(replicas=replicas, batch=BatchPolicy(size), slots=slots))
    desk.behind(20)
    desk.online(60)
    ran: list[str] = []
    desk.turn()
    while len(ran) < 300:
        kinds = desk.finish(took_s)
        ran += kinds
        desk.online(kinds.count("online"))
        desk.behind(kinds.count("behind"))
        desk.turn()
    share = ran.count("behind") / len(ran)
    assert share >= SHARE - (size + 3) / len(ran)
    if took_s > sending.WINDOW_S:  # else there are places that online has nothing for
        assert share <= SHARE + (size + 3) / len(ran)


def test_nobody_is_owed_what_was_asked_before_they_came() -> None:
    desk = Desk(Policy())
    desk.online(40)
    desk.turn()
    for _ in range(20):
        desk.finish()
    desk.behind(1)
    assert desk.pool_owed == 0
    ran = [desk.finish()[0] for _ in range(12)]
    assert ran.index("behind") >= 9


@pytest.mark.parametrize(
    ("took_s", "is_sent"), [(0.0005, True), (0.1, False)], ids=["quick", "slow"]
)
def test_only_quick_calls_of_it_are_sent_ahead(took_s: float, *, is_sent: bool) -> None:
    desk = Desk(Policy())
    desk.behind(50)
    desk.turn()
    for _ in range(30):
        desk.finish(took_s)
    desk.now += took_s - 0.0003  # the running call is about to end
    desk.turn()
    assert (len(desk.sent) > 1) is is_sent


def test_an_online_request_waits_for_one_call_at_most() -> None:
    desk = Desk(Policy())
    desk.behind(50)
    desk.turn()
    for _ in range(30):
        desk.finish()
    desk.now += CALL_S - 0.0003
    desk.turn()
    desk.online()
    desk.turn()
    assert desk.finish() == ["behind"]
    assert desk.finish() == ["online"]


@pytest.mark.parametrize(("slots", "places"), [(1, 1), (9, 9), (10, 9), (100, 90)])
def test_a_tenth_of_many_slots_stays_free_for_online(slots: int, places: int) -> None:
    desk = Desk(Policy(slots=slots, replicas=1))
    desk.behind(120)
    desk.turn()
    assert desk.flat() == ["behind"] * places
    desk.online(20)
    desk.turn()
    free = min(slots - places, 9)  # the tenth is theirs by right
    assert desk.flat()[places : places + free] == ["online"] * free
    assert len(desk.flat()) == slots


def test_where_online_has_nine_tenths_of_the_slots_it_still_gets_its_share() -> None:
    desk = Desk(Policy(slots=10, max_queued=10_000))
    desk.online(40)
    desk.turn()
    desk.behind(40)
    ran: list[str] = []
    for _ in range(200):
        kinds = desk.finish()
        ran += kinds
        desk.online(len(kinds))
        desk.turn()
    assert ran.count("behind") >= 15


def test_its_time_begins_when_it_is_sent() -> None:
    desk = Desk(Policy())
    desk.behind(1)
    (late,) = desk.behind(1, Lower(limit_s=2.0))
    desk.turn()
    desk.now += 50.0
    desk.finish(50.0)
    due = [action for action in desk.told if isinstance(action, Due)]
    assert due == [Due(late, desk.now + 2.0)]
    desk.now += 2.0
    desk.turn()
    assert Settle(late, Outcome.EXPIRED) in desk.told


def test_it_is_told_when_nothing_runs_it_any_more() -> None:
    desk = Desk(Policy())
    first, second = desk.behind(2)
    desk.turn()
    desk.heed(desk.engine.hung_up(first, desk.now))
    desk.heed(desk.engine.hung_up(second, desk.now))
    assert Settle(first, Outcome.CANCELLED) in desk.told
    assert Left(first) not in desk.told, "its replica has not said so"
    assert Left(second) in desk.told, "none had it"
    desk.finish()
    assert Left(first) in desk.told


@pytest.mark.parametrize(
    ("why", "batch", "outcome"),
    [
        (Why.CRASHED, 1, Outcome.BLAMED),
        (Why.CRASHED, 2, Outcome.LOST),
        (Why.KILLED, 1, Outcome.LOST),
    ],
)
def test_a_death_is_blamed_on_what_ran_alone(why: Why, batch: int, outcome: Outcome) -> None:
    desk = Desk(Policy(batch=BatchPolicy(batch)))
    numbers = desk.behind(batch)
    desk.turn()
    ((replica, serial, _),) = desk.sent
    desk.heed(desk.engine.replica_gone(replica, why, claimed=serial, now=desk.now, chance=0.5))
    assert [action for action in desk.told if isinstance(action, Settle)] == [
        Settle(number, outcome) for number in numbers
    ]


def test_a_suspect_runs_alone() -> None:
    desk = Desk(Policy(batch=BatchPolicy(4)))
    desk.behind(2, Lower(is_suspect=True))
    desk.behind(2)
    desk.turn()
    assert [desk.finish() for _ in range(3)] == [["behind"], ["behind"], ["behind", "behind"]]


def test_it_takes_nothing_of_the_queues_bound() -> None:
    desk = Desk(Policy(max_queued=3))
    desk.behind(50)
    desk.turn()
    desk.online(3)
    assert desk.engine.pools[HERE].queued == 3


def test_a_server_that_stops_takes_none() -> None:
    desk = Desk(Policy())
    desk.heed(desk.engine.asked_to_stop(1.0, desk.now))
    with pytest.raises(Draining):
        desk.behind()


def test_it_waits_for_no_model_that_is_not_loaded() -> None:
    engine = Engine()
    engine.deployed(HERE, Policy(), NOW)
    with pytest.raises(StillLoading):
        background.arrived(engine, RequestId(1), HERE, Lower(), NOW)
