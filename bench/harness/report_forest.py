"""The forest's results as Markdown."""

from statistics import median

from harness.contenders import TITLES
from harness.promises import CROWD_BATCHED, FOREST_PROMISES, LONE_BATCHED, held
from harness.report import Row, duels, number, promised, table, where
from harness.results import ForestResults, Inside


def render(results: ForestResults, plot: str | None = None) -> str:
    """Return all tables, the promises first."""
    pairs = max((len(duel.pairs) for duel in results.duels), default=0)
    parts = [where(results.machine, pairs, results.seconds), "### Promises of the forest"]
    parts.append(promised(held(FOREST_PROMISES, results)))
    if plot:
        parts.append(f"![Requests a second, median alone and batch size of each forest]({plot})")
    for title, scene in (("64 clients", CROWD_BATCHED), ("1 client", LONE_BATCHED)):
        if text := duels([duel for duel in results.duels if duel.scene == scene]):
            parts += [f"### The forest, {title}", text]
    if results.insides:
        parts += ["### Inside the model, 64 clients", _insides(results)]
    if results.trials:
        parts += ["### Windows tried", _trials(results)]
    return "\n\n".join(parts)


def _insides(results: ForestResults) -> str:
    head = ("server", "window ms", "mean n", "mean t(n) ms", "inside predict", "n/t back to back")
    names = dict.fromkeys(each.name for each in results.insides)
    return table((*head, "digits right"), [_inside(results, name) for name in names])


def _inside(results: ForestResults, name: str) -> Row:
    runs = [each for each in results.insides if each.name == name and each.calls]
    window = f"{results.windows_ms.get(name, 0):g}"
    right = next((f"{a.right} of {a.asked}" for a in results.accuracies if a.name == name), "-")
    if not runs:
        return (TITLES[name], window, "-", "-", "-", "-", right)
    figures = (
        median(each.items / each.calls for each in runs),
        median(each.busy_s / each.calls * 1e3 for each in runs),
        median(each.busy_share for each in runs),
        median(map(_back_to_back, runs)),
    )
    return (TITLES[name], window, *map(number, figures), right)


def _back_to_back(run: Inside) -> float:
    return run.items / run.busy_s


def _trials(results: ForestResults) -> str:
    names = dict.fromkeys(trial.name for trial in results.trials)
    windows = sorted({trial.window_ms for trial in results.trials})
    rates = {(trial.name, trial.window_ms): number(trial.rate) for trial in results.trials}
    head = ("requests/s of 64 clients", *(f"{window:g} ms" for window in windows))
    return table(
        head, [(TITLES[name], *(rates.get((name, w), "-") for w in windows)) for name in names]
    )
