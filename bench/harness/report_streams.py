"""The results of streams as Markdown."""

from statistics import median

from harness.contenders import TITLES
from harness.promises import STREAMS_PROMISES, held
from harness.report import Row, number, promised, table, where
from harness.results import ITEMS, Duel, First, StreamsResults, p50_ms, rate, worker_us
from harness.streams import SCENES, crowd


def render(results: StreamsResults, plot: str | None = None) -> str:
    """Return all tables, the promises first."""
    pairs = max((len(duel.pairs) for duel in results.duels), default=0)
    parts = [where(results.machine, pairs, results.seconds), "### Promises of streams"]
    parts.append(promised(held(STREAMS_PROMISES, results)))
    if plot:
        parts.append(f"![Items a second, and milliseconds to the first item]({plot})")
    for scene in SCENES:
        if fought := [duel for duel in results.duels if duel.scene == scene]:
            parts += [
                f"### Streams of {ITEMS} items, {crowd(scene)}",
                table(_DUELS, map(_duel, fought)),
            ]
    if results.firsts:
        parts += ["### One client's first item", table(_FIRSTS, map(_first, results.firsts))]
    return "\n\n".join(parts)


_DUELS = (
    "Headrace against",
    "items/s",
    "ratio (least-most)",
    "p50 of a stream, ms",
    "worker CPU us an item",
)
_FIRSTS = ("server", "first item, median ms", "p99 ms", "whole stream, median ms")


def _duel(duel: Duel) -> Row:
    name = TITLES[duel.other]
    both, ratios = duel.medians(rate), duel.ratios(rate)
    if both is None or not ratios:
        return (name, duel.note or "-", "-", "-", "-")
    if duel.faults:
        return (name, f"invalid: {duel.faults} failed requests", "-", "-", "-")
    spread = f"{number(median(ratios))} ({number(min(ratios))}-{number(max(ratios))})"
    rates = " : ".join(number(each * ITEMS) for each in both)
    return (
        name,
        rates,
        spread,
        _versus(duel.medians(p50_ms), 1),
        _versus(duel.medians(worker_us), ITEMS),
    )


def _versus(medians: tuple[float, float] | None, share: int) -> str:
    return " : ".join(number(each / share) for each in medians) if medians else "-"


def _first(first: First) -> Row:
    if not first.firsts_ms:
        return (TITLES[first.name], first.note or "-", "-", "-")
    slow = sorted(first.firsts_ms)[int(len(first.firsts_ms) * 0.99)]
    figures = (median(first.firsts_ms), slow, median(first.wholes_ms))
    return (TITLES[first.name], *map(number, figures))
