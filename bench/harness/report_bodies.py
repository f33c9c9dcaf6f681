"""The results of large bodies as Markdown."""

from harness.contenders import TITLES
from harness.promises import BODIES_PROMISES, held
from harness.report import Row, duels, number, promised, table, where
from harness.results import BodiesResults, Curve


def render(results: BodiesResults, plot: str | None = None) -> str:
    """Return all tables, the promises first."""
    pairs = max((len(each.duel.pairs) for each in results.meetings), default=0)
    parts = [where(results.machine, pairs, results.seconds), "### Promises of large bodies"]
    parts.append(promised(held(BODIES_PROMISES, results)))
    if plot:
        parts.append(f"![Large bodies a second, and memory over a thousand of them]({plot})")
    for errand in dict.fromkeys(each.errand for each in results.meetings):
        fought = [each.duel for each in results.meetings if each.errand == errand]
        for connections in dict.fromkeys(duel.scene.connections for duel in fought):
            title = f"### {errand}, {connections} at a time"
            parts += [title, duels([d for d in fought if d.scene.connections == connections])]
    if results.curves:
        parts += ["### Memory over 10 MB in and out", table(_HEAD, map(_curve, results.curves))]
    return "\n\n".join(parts)


_HEAD = ("server", "bodies", "worker at first, MB", "at last", "growth in 100", "all processes, MB")


def _curve(curve: Curve) -> Row:
    if not curve.weights:
        return (TITLES[curve.name], curve.note, "-", "-", "-", "-")
    first, last = curve.weights[0], curve.weights[-1]
    slope = curve.slope(lambda weight: weight.worker_pss_mb)
    growth = "-" if slope is None else f"{slope:+.2f}"
    figures = map(number, (first.worker_pss_mb, last.worker_pss_mb))
    return (TITLES[curve.name], f"{last.requests:,}", *figures, growth, number(last.all_pss_mb))
