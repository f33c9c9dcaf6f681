"""The benches, each as what it does: one line quickly, everything, or only its page anew."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import (
    bodies,
    forest,
    graph,
    machine,
    pays,
    report,
    report_bodies,
    report_forest,
    report_graph,
    report_pays,
    report_streams,
    streams,
    venvs,
)
from harness.contenders import BATCHING, BENCH
from harness.contenders import PEERS as ECHO_PEERS
from harness.duels import SCENES, Effort, Means, fight, programme
from harness.orders import QUICK, Orders, line, say, whisper
from harness.results import (
    BodiesResults,
    Duel,
    ForestResults,
    GraphResults,
    PaysResults,
    Results,
    StreamsResults,
    load_as,
    save,
)
from harness.standing import weigh

PAGE, KEPT = BENCH / "README.md", BENCH / "results"


@dataclass(frozen=True, slots=True)
class Bench:
    """One bench; its name is that of its results, its plot and its section of the page."""

    name: str
    section: str
    peers: tuple[str, ...]
    kind: type[Any]
    quick: Callable[[tuple[str, ...], Effort], list[tuple[str, Duel]]]
    measure: Callable[[tuple[str, ...], Effort, Orders], Any]
    render: Callable[[Any, str | None], str]
    plotter: str
    usual: Effort

    def in_brief(self, orders: Orders) -> bool:
        """Print a line or two, keep nothing; say whether anything was measured."""
        names = orders.names(self.peers)
        if not orders.only:
            names = names[:1] + names[-1:] if self.name == "echo" else names[:2]
        if len(names) < 2:
            return False
        lines = [(what, line(duel)) for what, duel in self.quick(names, orders.effort(QUICK))]
        for what, text in lines:
            if text:
                print(f"{what}: {text}" if what else text, flush=True)
        return any(text for _, text in lines)

    def in_full(self, orders: Orders) -> bool:
        """Measure everything, print it, keep it; say whether anything was measured."""
        names = orders.names(self.peers)
        if len(names) < 2:
            say(f"{self.name}: fewer than two of those asked for")
            return False
        found = self.measure(names, orders.effort(self.usual), orders)
        print(self.render(found, None))
        save(found, self.kept if orders.whole else self._latest)
        if orders.whole:
            self.publish(found)
        return any(duel.pairs for duel in _duels(found))

    @property
    def kept(self) -> Path:
        """Where its results are."""
        return KEPT / f"{self.name}.json"

    @property
    def _latest(self) -> Path:
        return KEPT / ("latest.json" if self.name == "echo" else f"latest-{self.name}.json")

    def publish(self, found: Any | None = None) -> None:
        """Write its section of the page, from what was kept if nothing is given."""
        if found is None and not self.kept.exists():
            say(f"{self.name}: nothing is kept yet")
            return
        found = load_as(self.kind, self.kept) if found is None else found
        plotted = any(duel.pairs for duel in _duels(found)) and self._plotted()
        plot = f"results/{self.name}.svg" if plotted else None
        report.put(PAGE, self.section, self.render(found, plot))

    def _plotted(self) -> bool:
        script, out = BENCH / self.plotter, KEPT / f"{self.name}.svg"
        try:
            command = [str(venvs.ensure("plot")), str(script), str(self.kept), str(out)]
            subprocess.run(command, check=True)
        except (venvs.CannotInstall, subprocess.CalledProcessError) as error:
            say(f"no plot: {error}")
            return False
        return True


def _duels(found: Any) -> list[Duel]:
    meetings = getattr(found, "meetings", None)
    return [each.duel for each in meetings] if meetings is not None else list(found.duels)


def _echo_quick(names: tuple[str, ...], effort: Effort) -> list[tuple[str, Duel]]:
    return [("", fight(empty, effort, whisper)) for empty in programme(names, SCENES[:1])]


def _echo(names: tuple[str, ...], effort: Effort, orders: Orders) -> Results:
    found = Results(machine.describe(), effort.seconds)
    duels = programme(names)
    for number, empty in enumerate(duels, 1):
        say(f"[{number}/{len(duels)}] {empty.scene.title}: {empty.one} against {empty.other}")
        found.duels.append(fight(empty, effort, say))
    say("standing costs")
    for batched in (False, True):
        for name in (each for each in names if not batched or each in BATCHING):
            found.standings.append(weigh(name, effort, say, batched=batched, idle_s=orders.idle_s))
    return found


def _forest_quick(names: tuple[str, ...], effort: Effort) -> list[tuple[str, Duel]]:
    means = Means(forest.Forest().enlist)
    scenes = (forest.CROWD, forest.LONE)
    duels = [Duel(scene, names[0], other) for scene in scenes for other in names[1:]]
    titles = [f"forest, {forest.crowd(duel.scene)}" for duel in duels]
    return [
        (title, fight(duel, effort, whisper, means))
        for title, duel in zip(titles, duels, strict=True)
    ]


def _forest(names: tuple[str, ...], effort: Effort, orders: Orders) -> ForestResults:
    return forest.measure(names, effort, say, tries=orders.whole)


def _bodies_quick(names: tuple[str, ...], effort: Effort) -> list[tuple[str, Duel]]:
    return bodies.quick(names, effort, whisper)


def _bodies(names: tuple[str, ...], effort: Effort, _orders: Orders) -> BodiesResults:
    return bodies.measure(names, effort, say)


def _streams_quick(names: tuple[str, ...], effort: Effort) -> list[tuple[str, Duel]]:
    return streams.quick(names, effort, whisper)


def _streams(names: tuple[str, ...], effort: Effort, _orders: Orders) -> StreamsResults:
    return streams.measure(names, effort, say)


def _pays_quick(names: tuple[str, ...], effort: Effort) -> list[tuple[str, Duel]]:
    return pays.quick(names, effort, whisper)


def _pays(names: tuple[str, ...], effort: Effort, _orders: Orders) -> PaysResults:
    return pays.measure(names, effort, say)


def _graph_quick(names: tuple[str, ...], effort: Effort) -> list[tuple[str, Duel]]:
    return graph.quick(names, effort, whisper)


def _graph(names: tuple[str, ...], effort: Effort, _orders: Orders) -> GraphResults:
    return graph.measure(names, effort, say)


BENCHES = (
    Bench(
        "echo",
        "results",
        ECHO_PEERS,
        Results,
        _echo_quick,
        _echo,
        report.render,
        "plot.py",
        Effort(),
    ),
    Bench(
        "forest",
        "forest",
        forest.PEERS,
        ForestResults,
        _forest_quick,
        _forest,
        report_forest.render,
        "plot_forest.py",
        Effort(),
    ),
    Bench(
        "bodies",
        "bodies",
        bodies.PEERS,
        BodiesResults,
        _bodies_quick,
        _bodies,
        report_bodies.render,
        "plot_bodies.py",
        Effort(pairs=5),
    ),
    Bench(
        "streams",
        "streams",
        streams.PEERS,
        StreamsResults,
        _streams_quick,
        _streams,
        report_streams.render,
        "plot_streams.py",
        Effort(pairs=5),
    ),
    Bench(
        "pays",
        "pays",
        pays.PEERS,
        PaysResults,
        _pays_quick,
        _pays,
        report_pays.render,
        "plot_pays.py",
        Effort(pairs=5),
    ),
    Bench(
        "graph",
        "graph",
        graph.PEERS,
        GraphResults,
        _graph_quick,
        _graph,
        report_graph.render,
        "plot_graph.py",
        Effort(pairs=5),
    ),
)
