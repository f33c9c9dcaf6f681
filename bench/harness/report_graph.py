"""The results of the graph as Markdown."""

from harness.graph import SCENES, crowd
from harness.promises import GRAPH_PROMISES, held
from harness.report import duels, promised, where
from harness.results import GraphResults


def render(results: GraphResults, plot: str | None = None) -> str:
    """Return all tables, the promises first."""
    pairs = max((len(duel.pairs) for duel in results.duels), default=0)
    parts = [where(results.machine, pairs, results.seconds), "### Promises of the graph"]
    parts.append(promised(held(GRAPH_PROMISES, results)))
    if plot:
        parts.append(f"![Requests a second and median latency of each graph]({plot})")
    for scene in SCENES:
        fought = [duel for duel in results.duels if duel.scene == scene]
        if fought:
            parts.append(f"### The graph, {crowd(scene)}")
        ours = dict.fromkeys(duel.one for duel in fought)
        parts += [duels([duel for duel in fought if duel.one == one]) for one in ours]
    return "\n\n".join(parts)
