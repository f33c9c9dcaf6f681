"""The results as Markdown, set between two markers of bench/README.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from harness.contenders import TITLES
from harness.duels import SCENES
from harness.machine import Machine
from harness.promises import Verdict, judge
from harness.results import Duel, Results, Scene, p50_ms, p99_ms, rate, worker_us

WRITTEN = ": written by bench/run.py -->"
BEGIN, END = f"<!-- results{WRITTEN}", "<!-- end of results -->"

Row = Sequence[str]


def replace_results(page: Path, results: Results, plot: str | None) -> None:
    """Put the results where the page keeps them."""
    put(page, "results", render(results, plot))


def put(page: Path, section: str, text: str) -> None:
    """Put a text between the two markers of a section, and leave the rest of the page."""
    begin, end = f"<!-- {section}{WRITTEN}", f"<!-- end of {section} -->"
    head, rest = page.read_text().split(begin)
    tail = rest.split(end)[1]
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def render(results: Results, plot: str | None = None) -> str:
    """Return all tables, the promises first."""
    pairs = max((len(duel.pairs) for duel in results.duels), default=0)
    parts = [where(results.machine, pairs, results.seconds), "### Promises"]
    parts.append(promised(judge(results)))
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


def where(machine: Machine, pairs: int, seconds: int) -> str:
    """Return what was measured where, in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"Measured {machine.date} on {machine.cores} cores of {machine.cpu}, {machine.kernel}"
        f" (load before: {machine.load_before:.2f}); {versions}."
        f" {pairs} pairs of {seconds} s runs."
    )


def promised(verdicts: Iterable[Verdict]) -> str:
    """Return the table of promises."""
    rows = []
    for verdict in verdicts:
        promise = verdict.promise
        bounds = ((">=", promise.least), ("<=", promise.most))
        bound = " ".join(
            f"{sign} {value:g}{promise.unit}" for sign, value in bounds if value is not None
        )
        value = "-" if verdict.value is None else f"{number(verdict.value)}{promise.unit}"
        rows.append((promise.text, bound, value, verdict.word))
    return table(("promise", "bound", "measured", "verdict"), rows)


def duels(found: Sequence[Duel]) -> str:
    """Return the table of the duels of one scene."""
    if not found:
        return ""
    head = (
        TITLES[found[0].one] + " against",
        "requests/s",
        "ratio (least-most)",
        "p50 ms",
        "p99 ms",
        "worker CPU us",
    )
    return table(head, map(_duel, found))


def _scene(results: Results, scene: Scene) -> str:
    return duels([duel for duel in results.duels if duel.scene == scene])


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
