"""Two servers side by side, loaded in turn: A B A B."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.contenders import BASE, BATCHING, HEADRACE, PEERS, contender
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


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often; `base` is the source folder of another checkout of Headrace."""

    seconds: int = 3
    pairs: int = 7
    base: Path | None = None


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


def fight(duel: Duel, effort: Effort, tell: Tell) -> Duel:
    """Return the duel with its runs, or with a note that says who could not come."""
    batched = duel.scene.batched
    try:
        one = contender(duel.one, batched=batched, base=effort.base)
        other = contender(duel.other, batched=batched, base=effort.base)
        with serving(one) as first, serving(other) as second:
            return replace(duel, pairs=_pairs(duel.scene, first, second, effort, tell))
    except (CannotInstall, Unavailable) as error:
        tell(f"  skipped: {error}")
        return replace(duel, note=f"skipped: {error}")


def _pairs(
    scene: Scene, one: Server, other: Server, effort: Effort, tell: Tell
) -> list[tuple[Load, Load]]:
    workers: list[Process | None] = []
    for server, rival in ((one, other), (other, one)):
        with _waiting(rival):
            run_wrk(server, connections=scene.connections, seconds=WARM_UP_S)
            workers.append(server.worker())
    pairs = []
    for number in range(1, effort.pairs + 1):
        first = _turn(scene, one, other, workers[0], effort)
        second = _turn(scene, other, one, workers[1], effort)
        pairs.append((first, second))
        tell(f"  {number}/{effort.pairs}  {_line(one, first)}  {_line(other, second)}")
    return pairs


def _turn(
    scene: Scene, server: Server, rival: Server, worker: Process | None, effort: Effort
) -> Load:
    with _waiting(rival):
        if not server.ask():  # the body is checked here, before each run; wrk counts statuses only
            raise Unavailable(f"{server.contender.label} stopped answering")
        time.sleep(SETTLE_S)
        return run_wrk(server, connections=scene.connections, seconds=effort.seconds, worker=worker)


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
