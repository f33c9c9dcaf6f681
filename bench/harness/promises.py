"""What Headrace promises, as a table: each figure, its bound, and whether it is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from harness.contenders import HEADRACE
from harness.load import Load
from harness.results import Results, Scene, p50_ms, p99_ms, rate, worker_us

CROWD, LONE = Scene(64, batched=False), Scene(1, batched=False)
CROWD_BATCHED, LONE_BATCHED = Scene(64, batched=True), Scene(1, batched=True)

Measure = Callable[
    [Results], "float | str | None"
]  # a figure, or why there is none; None: not measured


@dataclass(frozen=True, slots=True)
class Promise:
    """One figure that must not fall below `least`, or not rise above `most`."""

    text: str
    measure: Measure
    least: float | None = None
    most: float | None = None
    unit: str = "x"

    def keeps(self, value: float) -> bool:
        """Say whether this value keeps the promise."""
        enough = self.least is None or value >= self.least
        return enough and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A promise held against a measurement."""

    promise: Promise
    value: float | None
    word: str  # pass, FAIL, or why neither


def ratio(scene: Scene, peer: str, figure: Callable[[Load], float | None]) -> Measure:
    """Measure Headrace / peer as the median of the pairwise ratios."""

    def measure(results: Results) -> float | str | None:
        duel = results.duel(scene, HEADRACE, peer)
        if duel is None or duel.note:
            return duel.note if duel else None
        return f"invalid: {duel.faults} failed requests" if duel.faults else duel.ratio(figure)

    return measure


def start_s(results: Results) -> float | str | None:
    """Measure from the spawn to the first 200, the median of the starts."""
    standing = results.standing(HEADRACE, batched=False)
    return (standing.note or median(standing.starts_s)) if standing else None


def idle_percent(results: Results) -> float | str | None:
    """Measure the CPU of all processes with nothing to do, in percent of one core."""
    standing = results.standing(HEADRACE, batched=False)
    return (standing.note or standing.idle_percent) if standing else None


PROMISES: Sequence[Promise] = (
    Promise("requests/s at 64 connections, against mosec", ratio(CROWD, "mosec", rate), least=2.5),
    Promise(
        "requests/s at 64 connections, against LitServe", ratio(CROWD, "litserve", rate), least=15
    ),
    Promise(
        "requests/s at 64 connections, against bare uvicorn",
        ratio(CROWD, "uvicorn", rate),
        least=0.6,
    ),
    Promise(
        "batched requests/s at 64, against mosec batched",
        ratio(CROWD_BATCHED, "mosec", rate),
        least=0.75,
    ),
    Promise(
        "batched p99 at 64, against mosec batched", ratio(CROWD_BATCHED, "mosec", p99_ms), most=1.0
    ),
    Promise(
        "batched median alone, against mosec batched",
        ratio(LONE_BATCHED, "mosec", p50_ms),
        most=0.2,
    ),
    Promise("median alone, against mosec", ratio(LONE, "mosec", p50_ms), most=1.25),
    Promise(
        "worker CPU a request, against bare uvicorn", ratio(CROWD, "uvicorn", worker_us), most=1.5
    ),
    Promise("start to first 200", start_s, most=1.5, unit=" s"),
    Promise("idle CPU, all processes", idle_percent, most=0.5, unit="%"),
)


def judge(results: Results) -> list[Verdict]:
    """Hold every promise against the results."""
    return [_judged(promise, promise.measure(results)) for promise in PROMISES]


def _judged(promise: Promise, value: float | str | None) -> Verdict:
    if value is None:
        return Verdict(promise, None, "not measured")
    if isinstance(value, str):
        return Verdict(promise, None, value)
    return Verdict(promise, value, "pass" if promise.keeps(value) else "**FAIL**")
