"""Small worlds with one replica whose calls take t = a*n + b, and clients in a rhythm or by chance.

They are played by the real engine under a clock of our own.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random

from headrace.core.batching import BatchPolicy
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

    def __init__(
        self,
        cost: Callable[[int], float],
        *,
        most: int = 64,
        target_s: float | None = None,
        warm_up_s: float = 0.0,
    ) -> None:
        self.warm_up_s = warm_up_s
        self.engine, self.now, self.cost = Engine(), 0.0, cost
        policy = Policy(batch=BatchPolicy(most, 0.0, target_s), max_queued=100_000)
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
        serial, size = self.calls[0]
        took_s = self.cost(size) + (self.warm_up_s if serial == 1 else 0.0)
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


def rare_day(
    rate: float, cost: Callable[[int], float], seconds: float, target_s: float | None = None
) -> Day:
    """Let requests come by chance, so many a second."""
    day, chance = Day(cost, target_s=target_s), Random(7)

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
