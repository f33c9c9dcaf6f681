"""What measuring leaves behind: raw runs, kept as JSON; medians are taken when read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from harness.load import Load
from harness.machine import Machine


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
        for duel in self.duels:
            if (duel.scene, duel.one, duel.other) == (scene, one, other):
                return duel
        return None

    def standing(self, name: str, *, batched: bool) -> Standing | None:
        """Find what a server costs by its name."""
        for standing in self.standings:
            if (standing.name, standing.batched) == (name, batched):
                return standing
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


def save(results: Results, path: Path) -> None:
    """Write results as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def load(path: Path) -> Results:
    """Read what `save` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
