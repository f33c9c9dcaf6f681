"""How many replicas a deployment is to have, by how much there is to do and for how long.

The load is the number of its requests, those that wait too. It is looked at again and again, and
what counts is its mean. Two watches run: one begins when there is more than the replicas are meant
for, the other when fewer of them would do. Each goes on as long as the mean of what it has seen
since it began says so. When that has been so for its patience, and what came of late does not say
otherwise, the number follows. So a look that comes often hurries nothing, a crowd or a lull that is
over changes nothing, and one change makes both watches begin anew.

To shrink, the load must leave a sixth of what stays unused: after that the mean has to grow by a
fifth before there can be more again. So a steady load with its noise never has replicas come and
go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, inf

SLACK = 1.2
"""Fewer replicas must be enough for so many times the load, before some go."""
LOOKS = 20
"""How often the load is looked at within the shorter patience."""
SOONEST_S, LATEST_S = 0.05, 1.0
"""How long it is from one look to the next, at the least and at the most."""
FADING = 0.25
"""Of the patience to grow: how fast what is past says less of what is of late."""
HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class ScalePolicy:
    """The options of a deployment that decide how many replicas it has."""

    least: int = 1
    most: int = 1
    target: float = 2.0
    """Requests per replica, those that wait too."""
    up_s: float = 3.0
    down_s: float = 60.0

    @property
    def floor(self) -> int:
        """How many there are at the least while there are any: the last one goes for idleness."""
        return max(self.least, 1)

    @property
    def look_s(self) -> float:
        """How long it is from one look at the load to the next, while there is any."""
        return min(max(min(self.up_s, self.down_s) / LOOKS, SOONEST_S), LATEST_S)

    @property
    def nap_s(self) -> float:
        """How long it is when there is nothing to do."""
        return min(max(self.up_s / 2, SOONEST_S), LATEST_S)

    def wish(self, load: float) -> int:
        """Return how many replicas are right for a load."""
        return self.within(ceil(load / self.target - HAIR))

    def within(self, replicas: int) -> int:
        """Return the number that is allowed and nearest."""
        return min(max(replicas, self.floor), self.most)


@dataclass(frozen=True, slots=True)
class Change:
    """Why there are other replicas than before, in numbers."""

    before: int
    after: int
    load: float
    """On average, for `seconds`."""
    capacity: float
    """What those before are meant for."""
    seconds: float


def in_words(change: Change) -> str:
    """Say why: `load 9.2 of 8 for 3 s`."""
    return f"load {change.load:.1f} of {change.capacity:g} for {change.seconds:.3g} s"


@dataclass(slots=True)
class Watch:
    """The load since something has been so."""

    runs: bool = False
    seconds: float = 0.0
    sum: float = 0.0
    """Of load times seconds."""

    @property
    def mean(self) -> float:
        """The load on average."""
        return self.sum / self.seconds

    def see(self, load: float, seconds: float) -> None:
        """Take in the load of so many seconds."""
        self.seconds += seconds
        self.sum += load * seconds

    def stop(self) -> None:
        """Forget what was seen."""
        self.runs, self.seconds, self.sum = False, 0.0, 0.0


@dataclass(slots=True)
class Gauge:
    """What is known of one deployment's load."""

    looked_at: float = 0.0
    look_at: float = inf
    """When to look next; infinite while it is not there."""
    load: float = 0.0
    """When it was last looked at."""
    recent: float = 0.0
    """Of late: a mean in which the past fades."""
    more: Watch = field(default_factory=Watch)
    fewer: Watch = field(default_factory=Watch)
    last: Change | None = None
    lacking: int = 0
    """Replicas that the load asks for, and that the memory has no room for."""

    def begin(self, policy: ScalePolicy, now: float) -> None:
        """Look from now on."""
        self.more.stop()
        self.fewer.stop()
        self.lacking = 0
        self.looked_at, self.look_at = now, now + policy.look_s

    def see(self, load: float, seconds: float, policy: ScalePolicy, now: float) -> None:
        """Take in the load of so many seconds, up to now."""
        self.recent += (load - self.recent) * seconds / (seconds + policy.up_s * FADING)
        self.looked_at, self.load = now, load

    def end(self) -> None:
        """Look no more: there are no replicas."""
        self.look_at, self.lacking, self.load, self.recent = inf, 0, 0.0, 0.0


def look(gauge: Gauge, policy: ScalePolicy, have: int, load: int, now: float) -> Change | None:
    """Take in what the load is now; return the change that it asks for, if it does.

    It is asked for again at every look, until the gauge begins anew.
    """
    seconds = min(now - gauge.looked_at, 2 * policy.nap_s)  # more was no load: the machine slept
    more, fewer = gauge.more, gauge.fewer
    gauge.see(load, seconds, policy, now)
    _see(more, load, seconds, lambda mean: policy.wish(mean) > have)
    _see(fewer, load, seconds, lambda mean: policy.wish(mean * SLACK) < have)
    idle = not load and not more.runs and have <= policy.floor
    gauge.look_at = now + (policy.nap_s if idle else policy.look_s)
    if more.seconds >= policy.up_s - HAIR:
        after = min(policy.wish(more.mean), policy.wish(gauge.recent * SLACK))
        if after > have and policy.wish(load) > have:
            return Change(have, after, more.mean, have * policy.target, more.seconds)
    if fewer.seconds >= policy.down_s - HAIR:
        after = max(policy.wish(fewer.mean * SLACK), policy.wish(gauge.recent * SLACK))
        if after < have and policy.wish(load * SLACK) < have:
            return Change(have, after, fewer.mean, have * policy.target, fewer.seconds)
    return None


def _see(watch: Watch, load: float, seconds: float, asks: Callable[[float], bool]) -> None:
    """Let a watch go on while its mean says so; else let it begin, if this load says so."""
    if watch.runs:
        watch.see(load, seconds)
        if watch.seconds and not asks(watch.mean):
            watch.stop()
    if not watch.runs:
        watch.runs = asks(load)
