"""When to close a batch. Two numbers decide: how many, and how long.

An idle replica takes what is there at once; while it computes, the next batch gathers. `max_wait_s`
makes the eldest wait longer on request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

MEMORY = 0.1  # weight of the newest call: about the last twenty decide
UNKNOWN = -1.0
STALE_CALLS = 1000


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """Close a batch at `max_size` requests, or when the eldest waited `max_wait_s` seconds."""

    max_size: int = 1
    max_wait_s: float = 0.0
    latency_target_s: float | None = None
    """In what time a request that finds the replica at work is to be answered; None is any."""


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


@dataclass(slots=True)
class Curve:
    """What calls of any size cost: a line through the usual time of small, middle and large ones.

    `Pace` follows the sizes of the moment; this one remembers others for `STALE_CALLS`.
    """

    sizes: list[float] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    """By the number of bits of n, with 0 for sizes that were never seen."""
    seen: list[int] = field(default_factory=list)
    """After how many calls each was seen last."""
    counts: list[int] = field(default_factory=list)
    calls: int = 0

    def learn(self, n: int, t_s: float) -> None:
        """Take in that a call of `n` requests took `t_s` seconds."""
        bits = n.bit_length()
        while len(self.sizes) <= bits:
            self.sizes.append(0.0)
            self.times_s.append(0.0)
            self.seen.append(0)
            self.counts.append(0)
        self.calls += 1
        self.counts[bits] += 1
        self.seen[bits] = self.calls
        weight = max(MEMORY, 1 / self.counts[bits])  # so the first one is soon one of many
        self.sizes[bits] += weight * (n - self.sizes[bits])
        self.times_s[bits] += weight * (t_s - self.times_s[bits])

    def seen_at(self, n: int) -> int:
        """Tell after how many calls one of about this size was seen last; 0 if none was."""
        bits = n.bit_length()
        return self.seen[bits] if bits < len(self.seen) else 0

    def known(self) -> list[tuple[float, float]]:
        """Return the sizes that were seen of late, each with its usual time."""
        bins = zip(self.sizes, self.times_s, self.seen, strict=True)
        return [(n, t) for n, t, seen in bins if n and self.calls - seen < STALE_CALLS]

    def line(self) -> tuple[float, float]:
        """Return a and b of t = a*n + b, neither below 0.

        While one size is known, all of its time counts as fixed: who hopes so learns another size.
        """
        known = self.known()
        if not known:
            return 0.0, 0.0
        n_mean = sum(n for n, _ in known) / len(known)
        t_mean = sum(t for _, t in known) / len(known)
        spread = sum((n - n_mean) ** 2 for n, _ in known)
        if not spread:
            return 0.0, t_mean
        slope = sum((n - n_mean) * (t - t_mean) for n, t in known) / spread
        slope = min(max(slope, 0.0), t_mean / n_mean)
        return slope, t_mean - slope * n_mean


@dataclass(slots=True)
class Returns:
    """How many requests follow upon the end of a call, and within what time: see core/gathering."""

    ended_at: float = -inf
    until: float = -inf
    """Who comes before has come back."""
    answered: int = 0
    came: int = 0
    came_s: float = 0.0
    share: float = 0.0
    """How many usually come for each that was answered."""
    usual_s: float = 0.0
    """When the last of them usually comes."""
    horizon_s: float = 0.0
    """A call's fixed cost: who takes longer to come back is not waited for."""

    def one_came(self, now: float) -> None:
        """Count one that came before `until`."""
        self.came += 1
        self.came_s = now - self.ended_at

    def call_ended(self, answered: int, now: float) -> None:
        """Learn from the last end of a call; from now on they come back from this one."""
        if self.answered:
            self.share += MEMORY * (self.came / self.answered - self.share)
            self.usual_s += MEMORY * (self.came_s - self.usual_s)
        self.answered, self.came, self.came_s, self.ended_at = answered, 0, 0.0, now
        self.until = now + self.horizon_s


def due(waiting: int, eldest: float, room: int, max_wait_s: float, now: float) -> int:
    """Return how many of the waiting requests to send now into `room` places: what fits, or 0."""
    if waiting >= room:
        return room
    return waiting if now >= eldest + max_wait_s else 0
