"""When to close a batch. Two numbers decide: how many, and how long.

An idle replica takes what is there at once; while it computes, the next batch gathers. `max_wait_s`
makes the eldest wait longer on request.
"""

from __future__ import annotations

from dataclasses import dataclass

MEMORY = 0.1  # weight of the newest call: about the last twenty decide
UNKNOWN = -1.0


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """Close a batch at `max_size` requests, or when the eldest waited `max_wait_s` seconds."""

    max_size: int = 1
    max_wait_s: float = 0.0


@dataclass(slots=True)
class Pace:
    """How long calls take: a line t = a*n + b through the last ones, the newest counting most.

    Exponentially weighted least squares: means, one variance, one covariance.
    """

    n: float = 0.0
    t_s: float = UNKNOWN
    spread: float = 0.0
    shared: float = 0.0
    calls: int = 0
    requests: int = 0
    busy_s: float = 0.0

    def learn(self, n: int, t_s: float) -> None:
        """Take in that a call of `n` requests took `t_s` seconds."""
        self.calls += 1
        self.requests += n
        self.busy_s += t_s
        if self.t_s < 0:
            self.n, self.t_s = n, t_s
            return
        dt = t_s - self.t_s
        self.t_s += MEMORY * dt
        if n != self.n:
            dn = n - self.n
            self.n += MEMORY * dn
            self.spread = (1 - MEMORY) * (self.spread + MEMORY * dn * dn)
            self.shared = (1 - MEMORY) * (self.shared + MEMORY * dn * dt)

    def predict_s(self, n: int) -> float:
        """Guess the seconds a call of `n` takes; `UNKNOWN` before the first one ended."""
        if n == self.n or self.t_s < 0 or self.spread <= 0:
            return self.t_s
        steepest = self.t_s / self.n  # no call is cheaper than nothing at n = 0
        slope = min(max(self.shared / self.spread, 0.0), steepest)
        return self.t_s + slope * (n - self.n)


def due(waiting: int, eldest: float, room: int, max_wait_s: float, now: float) -> int:
    """Return how many of the waiting requests to send now into `room` places: what fits, or 0."""
    if waiting >= room:
        return room
    return waiting if now >= eldest + max_wait_s else 0
