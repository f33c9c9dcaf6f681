"""Who was answered together comes back together, and is waited for only where that pays.

Small worlds with one replica whose calls take t = a*n + b, and clients that come in a rhythm or by
chance, played by the real engine under a clock of our own.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from math import inf
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core import gathering
from headrace.core.batching import BatchPolicy, Curve
from headrace.core.check import check
from headrace.core.engine import Engine
from headrace.core.messages import (
    Action,
    DeploymentId,
    RequestId,
    Send,
    Serial,
    Settle,
    Start,
    WakeAt,
)
from headrace.core.records import Policy

M = DeploymentId("m")
Event = Callable[[], None]


class Day:
    """One replica, its clients, and the time."""

    def __init__(self, cost: Callable[[int], float], *, most: int = 64) -> None:
        self.engine, self.now, self.cost = Engine(), 0.0, cost
        policy = Policy(batch=BatchPolicy(most), max_queued=100_000)
        (start,) = self.engine.deployed(M, policy, 0.0)
        assert isinstance(start, Start)
        self.replica = start.replica
        self.engine.replica_ready(self.replica, 0.0)
        self.calls: deque[tuple[Serial, int]] = deque()
        self.sizes: list[int] = []
        self.waits: list[float] = []
        self.arrived: dict[RequestId, tuple[float, Event | None]] = {}
        self._events: list[tuple[float, int, Event]] = []
        self._number = count(1)
        self.ask_again = True

    def at(self, when: float, event: Event) -> None:
        heapq.heappush(self._events, (when, next(self._number), event))

    def ask(self, then: Event | None = None) -> None:
        """Let a request arrive; `then` happens when it is answered."""
        request = RequestId(next(self._number))
        self.arrived[request] = (self.now, then)
        self.do(self.engine.arrived(request, M, deadline=self.now + 60.0, now=self.now))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(_, serial, requests):
                    self.calls.append((serial, len(requests)))
                    if len(self.calls) == 1:
                        self.begin()
                case Settle(request):
                    began, then = self.arrived.pop(request)
                    self.waits.append(self.now - began)
                    if then is not None:
                        then()
                case WakeAt(when):
                    self.at(when, lambda: None)
                case _:
                    raise AssertionError(action)

    def leave(self) -> None:
        """Let nobody come back who is answered from now on, or is on the way."""
        self.arrived = {number: (began, None) for number, (began, _) in self.arrived.items()}
        self.ask_again = False

    def begin(self) -> None:
        took_s = self.cost(self.calls[0][1])
        self.at(self.now + took_s, lambda: self.end(took_s))

    def end(self, took_s: float) -> None:
        serial, size = self.calls.popleft()
        self.sizes.append(size)
        if self.calls:
            self.begin()
        self.do(self.engine.finished(self.replica, serial, took_s, self.now))

    def live_until(self, when: float) -> None:
        while self._events and self._events[0][0] <= when:
            self.now, _, event = heapq.heappop(self._events)
            event()
            self.do(self.engine.ticked(self.now))
            check(self.engine, turn_ended_at=self.now)
        self.now = when


def crowd(day: Day, clients: int, chance: Random, *, first_s: float, each_s: float) -> None:
    """Let clients ask again as soon as they are answered: one after the other, through one door."""
    door = [0.0]

    def come_back() -> None:
        door[0] = max(door[0], day.now + first_s) + each_s * chance.uniform(0.5, 1.5)
        day.at(door[0], lambda: day.ask(come_back) if day.ask_again else None)

    for _ in range(clients):
        come_back()


def crowd_day(clients: int, cost: Callable[[int], float], seconds: float) -> Day:
    day = Day(cost)
    crowd(day, clients, Random(clients), first_s=0.0003, each_s=0.00005)
    day.live_until(seconds)
    return day


def rare_day(rate: float, cost: Callable[[int], float], seconds: float) -> Day:
    """Let requests come by chance, so many a second."""
    day, chance = Day(cost), Random(7)

    def come() -> None:
        day.ask()
        day.at(day.now + chance.expovariate(rate), come)

    day.at(0.0, come)
    day.live_until(seconds)
    return day


def flat(n: int) -> float:
    """Mostly a fixed cost, as a forest of small trees has."""
    return 0.0065 + 0.00001 * n


def steep(n: int) -> float:
    """All of it for each request: batches gain nothing."""
    return 0.0002 * n


@pytest.fixture
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be waited for."""
    monkeypatch.setattr(gathering, "LEAST_S", inf)


def test_a_crowd_does_not_fall_apart_in_halves() -> None:
    day = crowd_day(64, flat, 1.0)
    assert fmean(day.sizes[-50:]) > 60
    assert len(day.waits) / 1.0 > 1.15 * 64 / (2 * flat(32)), "two halves by turns do no more"


@pytest.mark.usefixtures("in_haste")
def test_it_does_so_where_nobody_is_waited_for() -> None:
    assert fmean(crowd_day(64, flat, 1.0).sizes[-50:]) < 40


@pytest.mark.parametrize("clients", [2, 5, 17, 40])
def test_a_small_crowd_stays_together_too(clients: int) -> None:
    assert fmean(crowd_day(clients, flat, 1.0).sizes[-50:]) > 0.9 * clients


def test_a_client_alone_never_waits() -> None:
    day = crowd_day(1, flat, 1.0)
    assert max(day.waits) == pytest.approx(flat(1))


def test_the_first_after_a_crowd_has_left_does_not_wait_for_it() -> None:
    day = crowd_day(64, flat, 0.5)
    day.leave()
    day.live_until(10.0)
    before = len(day.waits)
    day.at(10.0, day.ask)
    day.live_until(11.0)
    assert day.waits[before:] == [pytest.approx(flat(1))]


@pytest.mark.parametrize("cost", [flat, steep])
@pytest.mark.parametrize("rate", [5, 150, 1500, 4000])
def test_those_who_come_by_chance_wait_no_longer_for_it(
    rate: float, cost: Callable[[int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1500 / rate
    patient = rare_day(rate, cost, seconds)
    monkeypatch.setattr(gathering, "LEAST_S", inf)
    hasty = rare_day(rate, cost, seconds)
    assert fmean(patient.waits) <= 1.05 * fmean(hasty.waits) + 1e-6
    assert len(patient.waits) >= 0.99 * len(hasty.waits)


def test_where_batches_gain_nothing_nobody_waits() -> None:
    day = crowd_day(64, steep, 0.5)
    busy_s = sum(map(steep, day.sizes))
    assert busy_s > 0.95 * 0.5


@given(st.lists(st.integers(1, 64), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_curve_recovers_a_line(sizes: list[int], a: float, b: float) -> None:
    curve = Curve()
    for n in [*sizes, 1, 64]:
        curve.learn(n, a * n + b)
    found_a, found_b = curve.line()
    assert found_a == pytest.approx(a, rel=1e-3, abs=1e-6)
    assert found_b == pytest.approx(b, rel=1e-3, abs=1e-4)


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 10)), max_size=50))
def test_a_curve_never_goes_below_nothing(calls: list[tuple[int, float]]) -> None:
    curve = Curve()
    for n, t_s in calls:
        curve.learn(n, t_s)
    slope, fixed_s = curve.line()
    assert slope >= 0
    assert fixed_s >= -1e-9


def test_while_one_size_is_known_all_of_its_time_may_be_fixed() -> None:
    curve = Curve()
    curve.learn(8, 0.4)
    assert curve.line() == pytest.approx((0.0, 0.4))
    assert Curve().line() == (0.0, 0.0)
