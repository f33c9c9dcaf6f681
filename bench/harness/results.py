"""What measuring leaves behind: raw runs, kept as JSON; medians are taken when read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Any, TypeVar

import msgspec

from harness.load import Load
from harness.machine import Machine

R = TypeVar("R")

WARM_UP = 200  # large bodies before a server's memory is judged
ITEMS = 200  # of a stream


@dataclass(frozen=True, slots=True)
class Scene:
    """How the echo is loaded."""

    connections: int
    batched: bool

    @property
    def title(self) -> str:
        """In words."""
        count = "1 connection" if self.connections == 1 else f"{self.connections} connections"
        return f"{count}, batches of up to 32" if self.batched else f"{count}, unbatched"


@dataclass(frozen=True, slots=True)
class Duel:
    """Two servers measured in turn: neighbouring runs forgive drift."""

    scene: Scene
    one: str
    other: str
    pairs: Sequence[tuple[Load, Load]] = ()
    note: str = ""  # why there are no pairs, or which runs had faults

    @property
    def faults(self) -> int:
        """Failed requests in any run; one is enough to make every figure of this duel invalid."""
        return sum(load.faults for pair in self.pairs for load in pair)

    def medians(self, figure: Callable[[Load], float | None]) -> tuple[float, float] | None:
        """Return the median of a figure for either side; None when it was not measured."""
        sides = [[figure(pair[side]) for pair in self.pairs] for side in (0, 1)]
        known = [[each for each in side if each is not None] for side in sides]
        return (median(known[0]), median(known[1])) if all(known) else None

    def ratios(self, figure: Callable[[Load], float | None]) -> list[float]:
        """Return one / other of a figure, pair by pair."""
        both = [(figure(one), figure(other)) for one, other in self.pairs]
        return [one / other for one, other in both if one is not None and other]

    def ratio(self, figure: Callable[[Load], float | None]) -> float | None:
        """Return the median of the pairwise ratios; None when it was not measured."""
        ratios = self.ratios(figure)
        return median(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a server costs apart from its requests."""

    name: str
    batched: bool
    starts_s: Sequence[float] = ()  # from the spawn to the first 200
    pss_mib: float = 0.0
    idle_percent: float = 0.0  # of one core
    processes: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """One session of measuring."""

    machine: Machine
    seconds: int
    duels: list[Duel] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)

    def duel(self, scene: Scene, one: str, other: str) -> Duel | None:
        """Find a duel by who met whom, and how."""
        return find(self.duels, scene, one, other)

    def standing(self, name: str, *, batched: bool) -> Standing | None:
        """Find what a server costs by its name."""
        for standing in self.standings:
            if (standing.name, standing.batched) == (name, batched):
                return standing
        return None


@dataclass(frozen=True, slots=True)
class Inside:
    """What a model counted in the midst of one run, and the rate that the clients saw."""

    name: str
    calls: int
    items: int
    busy_s: float  # within its prediction
    wall_s: float
    rate: float

    @property
    def busy_share(self) -> float:
        """How much of the time it was predicting."""
        return self.busy_s / self.wall_s

    @property
    def mean_items(self) -> float | None:
        """How large its batches were."""
        return self.items / self.calls if self.calls else None

    @property
    def pace_share(self) -> float | None:
        """The clients' rate, as a share of what these batches would give back to back."""
        return self.rate * self.busy_s / self.items if self.items else None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of the digits sent were told right."""

    name: str
    asked: int
    right: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One batching window, tried before the duels: a peer fights with its best."""

    name: str
    window_ms: float
    rate: float


@dataclass(frozen=True, slots=True)
class ForestResults:
    """One session of measuring the forest."""

    machine: Machine
    seconds: int
    windows_ms: dict[str, float] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    accuracies: list[Accuracy] = field(default_factory=list)
    duels: list[Duel] = field(default_factory=list)
    insides: list[Inside] = field(default_factory=list)

    def duel(self, scene: Scene, one: str, other: str) -> Duel | None:
        """Find a duel by who met whom, and how."""
        return find(self.duels, scene, one, other)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A duel over one errand: what is done with a large body."""

    errand: str
    duel: Duel


@dataclass(frozen=True, slots=True)
class Weight:
    """The memory of a server after so many requests, in MB."""

    requests: int
    worker_pss_mb: float
    worker_uss_mb: float
    all_pss_mb: float


@dataclass(frozen=True, slots=True)
class Curve:
    """How a server's memory went over many large bodies."""

    name: str
    weights: Sequence[Weight] = ()
    note: str = ""

    def slope(self, figure: Callable[[Weight], float]) -> float | None:
        """Return by how many MB a figure grows in 100 requests: least squares after the warm-up."""
        points = [(w.requests / 100, figure(w)) for w in self.weights if w.requests >= WARM_UP]
        if len(points) < 2:
            return None
        return linear_regression(*zip(*points, strict=True)).slope


@dataclass(frozen=True, slots=True)
class BodiesResults:
    """One session of measuring large bodies."""

    machine: Machine
    seconds: int
    meetings: list[Meeting] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def duel(self, errand: str, scene: Scene, one: str, other: str) -> Duel | None:
        """Find a duel by its errand, who met whom, and how."""
        return find(
            [each.duel for each in self.meetings if each.errand == errand], scene, one, other
        )

    def curve(self, name: str) -> Curve | None:
        """Find how a server's memory went by its name."""
        return next((curve for curve in self.curves if curve.name == name), None)


@dataclass(frozen=True, slots=True)
class First:
    """How long one client waited for a stream's first item and for its last, in milliseconds."""

    name: str
    firsts_ms: list[float] = field(default_factory=list)
    wholes_ms: list[float] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True, slots=True)
class StreamsResults:
    """One session of measuring streams; a request of its duels is a stream of `ITEMS`."""

    machine: Machine
    seconds: int
    duels: list[Duel] = field(default_factory=list)
    firsts: list[First] = field(default_factory=list)

    def duel(self, scene: Scene, one: str, other: str) -> Duel | None:
        """Find a duel by who met whom, and how."""
        return find(self.duels, scene, one, other)

    def first(self, name: str) -> First | None:
        """Find how long a server's clients waited by its name."""
        return next((first for first in self.firsts if first.name == name), None)


@dataclass(frozen=True, slots=True)
class GraphResults:
    """One session of measuring the graph."""

    machine: Machine
    seconds: int
    duels: list[Duel] = field(default_factory=list)

    def duel(self, scene: Scene, one: str, other: str) -> Duel | None:
        """Find a duel by who met whom, and how."""
        return find(self.duels, scene, one, other)


@dataclass(frozen=True, slots=True)
class Look:
    """What a server said of its calls after one run, and what the run itself gave."""

    model: str
    name: str
    size: int  # the most requests of a call, as the server chose it
    fixed_ms: float  # what it learned of a call: fixed_ms + item_ms * n
    item_ms: float
    mean_batch: float
    call_p50_ms: float  # inside the model
    call_p95_ms: float
    rate: float
    p50_ms: float  # of a request
    p99_ms: float


@dataclass(frozen=True, slots=True)
class PaysResults:
    """One session of measuring batches that pay, or do not; an errand is a model."""

    machine: Machine
    seconds: int
    meetings: list[Meeting] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def of(self, model: str, name: str) -> list[Look]:
        """Return the looks at one model in one server."""
        return [look for look in self.looks if (look.model, look.name) == (model, name)]


def find(duels: Iterable[Duel], scene: Scene, one: str, other: str) -> Duel | None:
    """Find a duel by who met whom, and how."""
    for duel in duels:
        if (duel.scene, duel.one, duel.other) == (scene, one, other):
            return duel
    return None


def rate(load: Load) -> float:
    """Return requests a second."""
    return load.rate


def p50_ms(load: Load) -> float:
    """Return the median latency."""
    return load.p50_ms


def p99_ms(load: Load) -> float:
    """Return the latency that one request in a hundred exceeds."""
    return load.p99_ms


def worker_us(load: Load) -> float | None:
    """Return the web process's CPU time for one request, in microseconds."""
    return load.worker_us


def save(results: Any, path: Path) -> None:
    """Write results as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def load(path: Path) -> Results:
    """Read the echo's results, as `save` wrote them."""
    return load_as(Results, path)


def load_as(kind: type[R], path: Path) -> R:
    """Read what `save` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
