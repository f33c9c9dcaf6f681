"""The forest: batches that pay, 64 clients or one, each rival with its best window."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import digits, machine
from harness.contenders import BASE, HEADRACE, Contender, headrace, peer, source_of
from harness.duels import Effort, Means, Tell, fight
from harness.ledger import Gauge, ledger_of
from harness.load import run_wrk
from harness.results import Duel, ForestResults, Scene, Trial
from harness.serving import Unavailable, serving
from harness.venvs import CannotInstall

PEERS = ("mosec", "litserve")
CROWD, LONE = Scene(64, batched=True), Scene(1, batched=True)
WINDOWS_MS = (1, 2, 5, 10)  # mosec takes whole milliseconds; LitServe without a window spins
DEFAULT_MS = {"mosec": 10, "litserve": 5}  # where none was tried
AS_IT_COMES_MS = {"mosec": 10}  # a batching mosec that is told no window takes this one
ALIKE = 0.95  # of the fastest rate: closer than that is the machine's noise
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


@dataclass(slots=True)
class Forest:
    """Enlists contenders, each with its window."""

    windows_ms: dict[str, float] = field(default_factory=dict)

    def enlist(self, name: str, _scene: Scene, base: Path | None) -> Contender:
        """Return how to start this contender's forest.

        Raises CannotInstall.
        """
        window_ms = self.windows_ms.get(name, DEFAULT_MS.get(name, 0))
        surroundings = {
            **ONE_THREAD,
            "BENCH_LEDGER": str(ledger_of(name)),
            "BENCH_WINDOW_MS": f"{window_ms:g}",
        }
        command, own = _command(name, base)
        return Contender(
            name,
            batched=True,
            command=command,
            environment={**own, **surroundings},
            question=digits.question(),
            bench="forest",
        )


def measure(names: tuple[str, ...], effort: Effort, tell: Tell, *, tries: bool) -> ForestResults:
    """Try the windows, check the answers, fight the duels."""
    forest, gauge = Forest(), Gauge(effort.seconds)
    found = ForestResults(machine.describe(PEERS), effort.seconds, insides=gauge.insides)
    for name in names if tries else ():
        found.trials.extend(_tried(name, effort, tell))
    forest.windows_ms |= best(found.trials)
    means = Means(forest.enlist, gauge.watch)
    for name in names:
        _examine(found, forest, name, effort, tell)
    one, *others = names
    for duel in [Duel(scene, one, other) for scene in (CROWD, LONE) for other in others]:
        tell(f"forest, {crowd(duel.scene)}: {one} against {duel.other}")
        found.duels.append(fight(duel, effort, tell, means))
    found.windows_ms.update({name: _window_ms(forest, name) for name in names})
    return found


def crowd(scene: Scene) -> str:
    """Return a scene in words."""
    return "1 client" if scene.connections == 1 else f"{scene.connections} clients"


def best(trials: list[Trial]) -> Mapping[str, float]:
    """Return each rival's window: its own default if that is within 5% of its fastest.

    Else the smallest that is. Headrace is not among them: it fights as it comes, without one.
    """
    windows = {}
    for name in PEERS:
        own = [trial for trial in trials if trial.name == name]
        fastest = max((trial.rate for trial in own), default=0)
        if good := [trial.window_ms for trial in own if trial.rate >= ALIKE * fastest]:
            own_ms = AS_IT_COMES_MS.get(name, 0)
            windows[name] = own_ms if own_ms in good else min(good)
    return windows


def _window_ms(forest: Forest, name: str) -> float:
    return forest.windows_ms.get(name, DEFAULT_MS.get(name, 0))


def _tried(name: str, effort: Effort, tell: Tell) -> list[Trial]:
    windows = WINDOWS_MS if name in PEERS else (0, *WINDOWS_MS)
    trials: list[Trial] = []
    for window_ms in windows:
        try:
            with serving(Forest({name: window_ms}).enlist(name, CROWD, effort.base)) as server:
                run_wrk(server, connections=CROWD.connections, seconds=1)
                load = run_wrk(server, connections=CROWD.connections, seconds=effort.seconds)
        except (CannotInstall, Unavailable) as error:
            tell(f"  skipped: {error}")
            return trials
        tell(f"  {name}, window of {window_ms} ms: {load.rate:,.0f}/s")
        if not load.faults:
            trials.append(Trial(name, window_ms, round(load.rate, 1)))
    return trials


def _examine(found: ForestResults, forest: Forest, name: str, effort: Effort, tell: Tell) -> None:
    try:
        with serving(forest.enlist(name, CROWD, effort.base)) as server:
            found.accuracies.append(accuracy := digits.examine(server))
    except (CannotInstall, Unavailable) as error:
        tell(f"  skipped: {error}")
        return
    tell(f"  {name}: {accuracy.right} of {accuracy.asked} digits right")


def _command(name: str, base: Path | None) -> tuple[tuple[str, ...], Mapping[str, str]]:
    if name in {HEADRACE, BASE}:
        return headrace("forest_headrace.py", source_of(name, base))
    return peer(name, "forest"), {}
