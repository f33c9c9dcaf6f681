"""What Headrace promises, as a table: each figure, its bound, and whether it is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Generic, TypeVar

from harness.contenders import HANDLER, HEADRACE, RAY, RAY_TUNED, TITLES
from harness.errands import BACK, LARGE, Errand
from harness.load import Load
from harness.results import (
    BodiesResults,
    Duel,
    ForestResults,
    GraphResults,
    Inside,
    Look,
    PaysResults,
    Results,
    Scene,
    StreamsResults,
    Weight,
    p50_ms,
    p99_ms,
    rate,
    worker_us,
)

CROWD, LONE = Scene(64, batched=False), Scene(1, batched=False)
CROWD_BATCHED, LONE_BATCHED = Scene(64, batched=True), Scene(1, batched=True)

FEW, ALONE = Scene(4, batched=False), Scene(1, batched=False)

R = TypeVar("R")
Found = float | str | None  # a figure, or why there is none; None: not measured


@dataclass(frozen=True, slots=True)
class Promise(Generic[R]):
    """One figure that must not fall below `least`, or not rise above `most`."""

    text: str
    measure: Callable[[R], Found]
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

    promise: Promise[Any]
    value: float | None
    word: str  # pass, FAIL, or why neither


def ratio(
    scene: Scene, peer: str, figure: Callable[[Load], float | None], one: str = HEADRACE
) -> Callable[[Results | ForestResults | StreamsResults | GraphResults], Found]:
    """Measure Headrace / peer as the median of the pairwise ratios."""
    return lambda results: _ratio(results.duel(scene, one, peer), figure)


def ratio_over(
    errand: Errand, scene: Scene, peer: str, figure: Callable[[Load], float | None]
) -> Callable[[BodiesResults], Found]:
    """Measure Headrace / peer over one errand."""
    return lambda results: _ratio(results.duel(errand.title, scene, HEADRACE, peer), figure)


def accuracy(results: ForestResults) -> Found:
    """Measure the share of the digits that Headrace told right."""
    return next(
        (each.right / each.asked for each in results.accuracies if each.name == HEADRACE), None
    )


def inside(figure: Callable[[Inside], float | None]) -> Callable[[ForestResults], Found]:
    """Measure what Headrace's model counted in the midst of its runs, the median of them."""

    def measure(results: ForestResults) -> Found:
        figures = [figure(each) for each in results.insides if each.name == HEADRACE]
        known = [each for each in figures if each is not None]
        return median(known) if known else None

    return measure


def slope(figure: Callable[[Weight], float]) -> Callable[[BodiesResults], Found]:
    """Measure by how many MB Headrace grows in 100 large bodies."""

    def measure(results: BodiesResults) -> Found:
        curve = results.curve(HEADRACE)
        return (curve.note or curve.slope(figure)) if curve else None

    return measure


def looked(model: str, figure: Callable[[Look], float]) -> Callable[[PaysResults], Found]:
    """Measure what a server said of a model's calls, the median over its runs."""

    def measure(results: PaysResults) -> Found:
        figures = [figure(look) for look in results.of(model, HEADRACE)]
        return median(figures) if figures else _noted(results, model)

    return measure


def paid(model: str) -> Callable[[PaysResults], Found]:
    """Measure the rate as it comes, against one request a call."""

    def measure(results: PaysResults) -> Found:
        duel = next((each.duel for each in results.meetings if each.errand == model), None)
        return _ratio(duel, rate)

    return measure


def first_ms(results: StreamsResults) -> Found:
    """Measure how long Headrace's one client waited for a first item, the median."""
    first = results.first(HEADRACE)
    return (first.note or median(first.firsts_ms)) if first else None


def start_s(results: Results) -> Found:
    """Measure from the spawn to the first 200, the median of the starts."""
    standing = results.standing(HEADRACE, batched=False)
    return (standing.note or median(standing.starts_s)) if standing else None


def idle_percent(results: Results) -> Found:
    """Measure the CPU of all processes with nothing to do, in percent of one core."""
    standing = results.standing(HEADRACE, batched=False)
    return (standing.note or standing.idle_percent) if standing else None


PROMISES: Sequence[Promise[Results]] = (
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


FOREST_PROMISES: Sequence[Promise[ForestResults]] = (
    Promise("digits told right", accuracy, least=1.0, unit=""),
    Promise(
        "requests/s of 64 clients, against mosec", ratio(CROWD_BATCHED, "mosec", rate), least=1
    ),
    Promise(
        "requests/s of 64 clients, against LitServe",
        ratio(CROWD_BATCHED, "litserve", rate),
        least=5,
    ),
    Promise("median of one client, against mosec", ratio(LONE_BATCHED, "mosec", p50_ms), most=0.5),
    Promise(
        "time inside predict, of all time, 64 clients",
        inside(lambda each: each.busy_share),
        least=0.9,
        unit="",
    ),
    Promise(
        "requests/s of 64 clients, against mean n / mean t(n)",
        inside(lambda each: each.pace_share),
        least=0.9,
    ),
)

BODIES_PROMISES: Sequence[Promise[BodiesResults]] = (
    *(
        Promise(
            f"requests/s, {errand.title}, {scene.connections} at a time, against LitServe",
            ratio_over(errand, scene, "litserve", rate),
            least=2,
        )
        for errand in (LARGE, BACK)
        for scene in (FEW, ALONE)
    ),
    Promise(
        "worker memory over 10 MB in and out, growth in 100 of them",
        slope(lambda weight: weight.worker_pss_mb),
        most=1,
        unit=" MB",
    ),
    Promise(
        "the same, of the pages that are the worker's alone",
        slope(lambda weight: weight.worker_uss_mb),
        most=1,
        unit=" MB",
    ),
)

STREAMS_PROMISES: Sequence[Promise[StreamsResults]] = (
    Promise("items/s of 64 streams, against LitServe", ratio(CROWD, "litserve", rate), least=5),
    Promise("first item of one client", first_ms, most=5, unit=" ms"),
)


def _graph(peer: str, one: str, front: str) -> tuple[Promise[GraphResults], ...]:
    whom = f"{front}, 64 connections, against {TITLES[peer]}"
    return (
        Promise(f"requests/s, {whom}", ratio(CROWD, peer, rate, one), least=10),
        Promise(f"median, {whom}", ratio(CROWD, peer, p50_ms, one), most=0.1),
    )


GRAPH_PROMISES: Sequence[Promise[GraphResults]] = (
    *_graph(RAY, HEADRACE, "a model in front"),
    *_graph(RAY_TUNED, HEADRACE, "a model in front"),
    *_graph(RAY, HANDLER, "a handler in front"),
    *_graph(RAY_TUNED, HANDLER, "a handler in front"),
)

PAYS_PROMISES: Sequence[Promise[PaysResults]] = (
    Promise(
        "forest: requests in a call",
        looked("random forest", lambda look: look.mean_batch),
        least=8,
        unit="",
    ),
    Promise("forest: requests/s, against one a call", paid("random forest"), least=4),
    Promise(
        "EfficientNet: the size chosen",
        looked("EfficientNet", lambda look: look.size),
        most=4,
        unit="",
    ),
    Promise("EfficientNet: requests/s, against one a call", paid("EfficientNet"), least=0.9),
    Promise(
        "MiniLM: the median call, of its target of 50 ms",
        looked("MiniLM, target 50 ms", lambda look: look.call_p50_ms),
        most=25,
        unit=" ms",
    ),
    Promise(
        "MiniLM: the median request of 8 clients",
        looked("MiniLM, target 50 ms", lambda look: look.p50_ms),
        most=50,
        unit=" ms",
    ),
)


def judge(results: Results) -> list[Verdict]:
    """Hold the echo's promises against its results."""
    return held(PROMISES, results)


def held(promises: Sequence[Promise[R]], results: R) -> list[Verdict]:
    """Hold every promise against the results."""
    return [_judged(promise, promise.measure(results)) for promise in promises]


def _ratio(duel: Duel | None, figure: Callable[[Load], float | None]) -> Found:
    if duel is None or duel.note:
        return duel.note if duel else None
    return f"invalid: {duel.faults} failed requests" if duel.faults else duel.ratio(figure)


def _noted(results: PaysResults, model: str) -> str | None:
    return next((each.duel.note for each in results.meetings if each.errand == model), None)


def _judged(promise: Promise[Any], value: Found) -> Verdict:
    if value is None:
        return Verdict(promise, None, "not measured")
    if isinstance(value, str):
        return Verdict(promise, None, value)
    return Verdict(promise, value, "pass" if promise.keeps(value) else "**FAIL**")
