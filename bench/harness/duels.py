"""Two servers side by side, loaded in turn: A B A B."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.contenders import BASE, BATCHING, HEADRACE, PEERS, Contender, contender
from harness.load import Load, run_wrk
from harness.processes import Process
from harness.results import Duel, Scene
from harness.serving import Server, Unavailable, serving
from harness.venvs import CannotInstall

WARM_UP_S, SETTLE_S = 1, 0.1
SCENES = (
    Scene(64, batched=False),
    Scene(1, batched=False),
    Scene(64, batched=True),
    Scene(1, batched=True),
)

Tell = Callable[[str], None]
Run = Callable[[], Load]
Enlist = Callable[[str, Scene, Path | None], Contender]  # a name, how it is loaded, the base
Watch = Callable[[Server, Scene, Run], Load]  # does the run, and looks on


def echo(name: str, scene: Scene, base: Path | None) -> Contender:
    """Enlist for the echo."""
    return contender(name, batched=scene.batched, base=base)


def unwatched(_server: Server, _scene: Scene, run: Run) -> Load:
    """Do the run, and no more."""
    return run()


@dataclass(frozen=True, slots=True)
class Means:
    """What differs from bench to bench: who comes, and who looks on."""

    enlist: Enlist = echo
    watch: Watch = unwatched


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often; `base` is the source folder of another checkout of Headrace."""

    seconds: int = 3
    pairs: int = 7
    base: Path | None = None


@dataclass(frozen=True, slots=True)
class Bout:
    """How two servers are loaded in turn."""

    scene: Scene
    effort: Effort
    watch: Watch


def programme(names: tuple[str, ...], scenes: tuple[Scene, ...] = SCENES) -> list[Duel]:
    """Return the duels to fight, still empty: the first name against each that knows the scene."""
    one, *others = names
    return [
        Duel(scene, one, other)
        for scene in scenes
        for other in others
        if not scene.batched or {one, other} <= set(BATCHING)
    ]


def names_of(only: str | None, base: Path | None) -> tuple[str, ...]:
    """Return who takes part: those asked for, else Headrace and its base or its peers."""
    if only:
        return tuple(only.split(","))
    return (HEADRACE, BASE) if base else (HEADRACE, *PEERS)


def fight(duel: Duel, effort: Effort, tell: Tell, means: Means | None = None) -> Duel:
    """Return the duel with its runs, or with a note that says who could not come."""
    means = means or Means()
    try:
        one = means.enlist(duel.one, duel.scene, effort.base)
        other = means.enlist(duel.other, duel.scene, effort.base)
        with serving(one) as first, serving(other) as second:
            bout = Bout(duel.scene, effort, means.watch)
            return replace(duel, pairs=_pairs(bout, first, second, tell))
    except (CannotInstall, Unavailable) as error:
        tell(f"  skipped: {error}")
        return replace(duel, note=f"skipped: {error}")


def _pairs(bout: Bout, one: Server, other: Server, tell: Tell) -> list[tuple[Load, Load]]:
    workers: list[Process | None] = []
    for server, rival in ((one, other), (other, one)):
        with _waiting(rival):
            run_wrk(server, connections=bout.scene.connections, seconds=WARM_UP_S)
            workers.append(server.worker())
    pairs = []
    for number in range(1, bout.effort.pairs + 1):
        first = _turn(bout, one, other, workers[0])
        second = _turn(bout, other, one, workers[1])
        pairs.append((first, second))
        tell(f"  {number}/{bout.effort.pairs}  {_line(one, first)}  {_line(other, second)}")
    return pairs


def _turn(bout: Bout, server: Server, rival: Server, worker: Process | None) -> Load:
    def run() -> Load:
        connections, seconds = bout.scene.connections, bout.effort.seconds
        return run_wrk(server, connections=connections, seconds=seconds, worker=worker)

    with _waiting(rival):
        if not server.ask():  # the body is checked here, before each run; wrk counts statuses only
            raise Unavailable(f"{server.contender.label} stopped answering")
        time.sleep(SETTLE_S)
        return bout.watch(server, bout.scene, run)


@contextmanager
def _waiting(rival: Server) -> Iterator[None]:
    """Let the rival wait for its turn, stopped if it would burn CPU waiting."""
    if not rival.contender.spins:
        yield
        return
    rival.freeze()
    try:
        yield
    finally:
        rival.thaw()


def _line(server: Server, load: Load) -> str:
    faults = f" INVALID: {load.faults} faults" if load.faults else ""
    times = f"p50 {load.p50_ms:.2f} p99 {load.p99_ms:.2f} ms"
    return f"{server.contender.label} {load.rate:,.0f}/s {times}{faults}"
