"""Measure what a request costs the engine: its arrival, its share of a turn, its call's end.

`python bench/engine.py` prints microseconds per request: the best of several runs, for the
machine's other work only ever adds. One leaf replica, a turn for every ten requests or every batch.
"""

from __future__ import annotations

import sys
from collections import deque
from time import perf_counter

from headrace.core.batching import BatchPolicy
from headrace.core.engine import Engine
from headrace.core.messages import Action, DeploymentId, ReplicaId, RequestId, Send, Serial, Start
from headrace.core.records import Policy

ECHO = DeploymentId("echo")
REQUEST_S = 10e-6
TIMEOUT_S = 60.0
RUNS = 7


class Traffic:
    """A steady stream: for every request that ends another one arrives, so `waiting` stay."""

    def __init__(self, *, waiting: int, batch: int) -> None:
        self.engine = Engine()
        self.batch = batch
        self.now, self.last, self.ended = 1000.0, 0, 0
        self.sent: deque[tuple[Serial, int]] = deque()
        policy = Policy(batch=BatchPolicy(batch), max_queued=10 * waiting + 1000)
        (start,) = self.engine.deployed(ECHO, policy, self.now)
        assert isinstance(start, Start)
        self.replica: ReplicaId = start.replica
        self.engine.replica_ready(self.replica, self.now)
        self.arrive(waiting)
        self.turn()

    def arrive(self, count: int) -> None:
        deadline = self.now + TIMEOUT_S
        for number in range(self.last + 1, self.last + count + 1):
            request = RequestId(number)
            self.heed(self.engine.arrived(request, ECHO, deadline=deadline, now=self.now))
        self.last += count

    def turn(self) -> None:
        self.heed(self.engine.ticked(self.now))

    def heed(self, actions: list[Action]) -> None:
        for action in actions:
            if type(action) is Send:
                self.sent.append((action.serial, len(action.requests)))

    def finish(self, at_least: int) -> int:
        ended = 0
        while ended < at_least:
            serial, count = self.sent.popleft()
            took_s = REQUEST_S * count
            self.now += took_s
            self.engine.finished(self.replica, serial, took_s, self.now)
            ended += count
            if not self.sent:
                break
        return ended

    def run(self, requests: int) -> float:
        """Return the seconds that each of so many requests cost."""
        ended, share = 0, max(self.batch, 10)
        began = perf_counter()
        while ended < requests:
            count = self.finish(share)
            self.arrive(count)
            self.turn()
            ended += count
        return (perf_counter() - began) / ended


def cost_us(*, waiting: int, batch: int, requests: int = 20_000) -> float:
    """Return the least microseconds per request of several runs."""
    traffic = Traffic(waiting=waiting, batch=batch)
    traffic.run(requests)  # the pace is learned, the caches are warm
    return 1e6 * min(traffic.run(requests) for _ in range(RUNS))


def main() -> None:
    print(f"Python {sys.version.split()[0]}, us per request (arrived + ticked + finished)")
    for batch in (1, 32):
        few, many = (cost_us(waiting=waiting, batch=batch) for waiting in (10, 10_000))
        kind = f"batches of {batch}" if batch > 1 else "unbatched"
        print(f"{kind:>14}: {few:5.2f} with 10 waiting, {many:5.2f} with 10,000: {many / few:.2f}x")


if __name__ == "__main__":
    main()
