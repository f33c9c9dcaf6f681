"""The results as Markdown, set between two markers of bench/README.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from harness.contenders import TITLES
from harness.duels import SCENES
from harness.promises import judge
from harness.results import Duel, Results, Scene, p50_ms, p99_ms, rate, worker_us

BEGIN, END = "<!-- results: written by bench/run.py -->", "<!-- end of results -->"

Row = Sequence[str]


def replace_results(page: Path, results: Results, plot: str | None) -> None:
    """Put the results where the page keeps them."""
    head, rest = page.read_text().split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{render(results, plot)}\n{END}{tail}")


def render(results: Results, plot: str | None = None) -> str:
    """Return all tables, the promises first."""
    parts = [_where(results), "### Promises", _promises(results)]
    if plot:
        parts.append(f"![Requests a second and median latency of each server]({plot})")
    for scene in SCENES:
        if table := _scene(results, scene):
            parts += [f"### {scene.title[0].upper()}{scene.title[1:]}", table]
    if results.standings:
        parts += ["### Standing costs", _standings(results)]
    return "\n\n".join(parts)


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table, its columns as wide as they must be."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def line(cells: Row) -> str:
        return (
            "| "
            + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            + " |"
        )

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head), rule, *map(line, lines[1:])])


def number(value: float) -> str:
    """Write a figure with three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _where(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    pairs = max((len(duel.pairs) for duel in results.duels), default=0)
    return (
        f"Measured {machine.date} on {machine.cores} cores of {machine.cpu}, {machine.kernel}"
        f" (load before: {machine.load_before:.2f}); {versions}."
        f" {pairs} pairs of {results.seconds} s runs."
    )


def _promises(results: Results) -> str:
    rows = []
    for verdict in judge(results):
        promise = verdict.promise
        bounds = ((">=", promise.least), ("<=", promise.most))
        bound = " ".join(
            f"{sign} {value:g}{promise.unit}" for sign, value in bounds if value is not None
        )
        value = "-" if verdict.value is None else f"{number(verdict.value)}{promise.unit}"
        rows.append((promise.text, bound, value, verdict.word))
    return table(("promise", "bound", "measured", "verdict"), rows)


def _scene(results: Results, scene: Scene) -> str:
    duels = [duel for duel in results.duels if duel.scene == scene]
    if not duels:
        return ""
    head = (
        TITLES[duels[0].one] + " against",
        "requests/s",
        "ratio (least-most)",
        "p50 ms",
        "p99 ms",
        "worker CPU us",
    )
    return table(head, map(_duel, duels))


def _duel(duel: Duel) -> Row:
    name = TITLES[duel.other]
    if not duel.pairs:
        return (name, duel.note, "-", "-", "-", "-")
    if duel.faults:
        return (name, f"invalid: {duel.faults} failed requests", "-", "-", "-", "-")
    ratios = duel.ratios(rate)
    spread = f"{number(median(ratios))} ({number(min(ratios))}-{number(max(ratios))})"
    figures = [_versus(duel.medians(figure)) for figure in (rate, p50_ms, p99_ms, worker_us)]
    return (name, figures[0], spread, *figures[1:])


def _versus(medians: tuple[float, float] | None) -> str:
    return f"{number(medians[0])} : {number(medians[1])}" if medians else "-"


def _standings(results: Results) -> str:
    head = (
        "server",
        "processes",
        "start to first 200, s",
        "memory (PSS), MiB",
        "idle CPU, % of a core",
    )
    rows: list[Row] = []
    for each in results.standings:
        name = TITLES[each.name] + (", batched" if each.batched else "")
        if each.note:
            rows.append((name, each.note, "-", "-", "-"))
            continue
        costs = (median(each.starts_s), each.pss_mib, each.idle_percent)
        rows.append((name, str(each.processes), *map(number, costs)))
    return table(head, rows)
