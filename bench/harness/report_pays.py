"""The results of batching that pays as Markdown."""

from statistics import median

from harness.contenders import HEADRACE
from harness.promises import PAYS_PROMISES, held
from harness.report import Row, number, promised, table, where
from harness.results import PaysResults, rate

_HEAD = (
    "model, clients",
    "size chosen",
    "mean batch",
    "learned t(n), ms",
    "call p50, p95, ms",
    "request p50, p99, ms",
    "requests/s",
    "against one a call (least-most)",
)


def render(results: PaysResults, plot: str | None = None) -> str:
    """Return the promises, the plot and the table."""
    pairs = max((len(each.duel.pairs) for each in results.meetings), default=0)
    parts = [where(results.machine, pairs, results.seconds), "### Promises of batching that pays"]
    parts.append(promised(held(PAYS_PROMISES, results)))
    if plot:
        parts.append(f"![Requests a second and calls of each model]({plot})")
    rows = [_row(results, each.errand) for each in results.meetings]
    parts += ["### As they come", table(_HEAD, rows)]
    return "\n\n".join(parts)


def _row(results: PaysResults, model: str) -> Row:
    duel = next(each.duel for each in results.meetings if each.errand == model)
    looks = results.of(model, HEADRACE)
    title, clients = model, duel.scene.connections
    if not looks or not duel.pairs:
        return (f"{title}, {clients}", duel.note or "-", *("-",) * 6)
    if duel.faults:
        return (f"{title}, {clients}", f"invalid: {duel.faults} failed requests", *("-",) * 6)
    ratios = duel.ratios(rate)
    last = looks[-1]
    return (
        f"{title}, {clients}",
        f"{median(look.size for look in looks):g}",
        number(median(look.mean_batch for look in looks)),
        f"{number(last.item_ms)} n + {number(max(last.fixed_ms, 0.0))}",
        _both(
            median(look.call_p50_ms for look in looks), median(look.call_p95_ms for look in looks)
        ),
        _both(median(look.p50_ms for look in looks), median(look.p99_ms for look in looks)),
        number(median(look.rate for look in looks)),
        f"{number(median(ratios))} ({number(min(ratios))}-{number(max(ratios))})",
    )


def _both(one: float, other: float) -> str:
    return f"{number(one)}, {number(other)}"
