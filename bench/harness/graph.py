"""A graph of three replicas in a row, beside the same graph on Ray Serve."""

import json
from pathlib import Path

from harness import machine
from harness.contenders import (
    BASE,
    HANDLER,
    RAY,
    RAY_TUNED,
    Contender,
    headrace,
    peer,
    source_of,
)
from harness.duels import Effort, Means, Tell, fight
from harness.questions import JSON, Question
from harness.results import Duel, GraphResults, Scene

PEERS = (RAY, RAY_TUNED, HANDLER)
CROWD, LONE = Scene(64, batched=False), Scene(1, batched=False)
SCENES = (CROWD, LONE)
QUESTION = Question(
    b'{"x": 3}', lambda body: bool(json.loads(body) == {"y": 8}), JSON, ("graph.lua",)
)
LOCAL = {  # no account, no report to its makers
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def enlist(name: str, _scene: Scene, base: Path | None) -> Contender:
    """Return how to start a contender.

    Raises CannotInstall.
    """
    if name in {RAY, RAY_TUNED}:
        own = LOCAL | ({"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"} if name == RAY_TUNED else {})
        command = peer(RAY, "graph")
    else:
        target = "handler" if name == HANDLER else "model"
        source = source_of(name, base if name == BASE else None)
        command, found = headrace(f"graph_headrace.py:{target}", source)
        own = dict(found)
    return Contender(
        name,
        batched=False,
        command=command,
        environment=own,
        question=QUESTION,
        bench="graph",
        spins=name in {RAY, RAY_TUNED},  # idle it takes a sixth of a core
        needs_scratch=name in {RAY, RAY_TUNED},
    )


def programme(names: tuple[str, ...]) -> list[Duel]:
    """Return the duels to fight, still empty; the handler in front meets the crowd alone."""
    one, *others = names
    rivals = [other for other in others if other != HANDLER]
    if not rivals:
        return [Duel(CROWD, one, other) for other in others]
    duels = [Duel(scene, one, rival) for scene in SCENES for rival in rivals]
    return duels + [Duel(CROWD, HANDLER, rival) for rival in rivals if HANDLER in others]


def measure(names: tuple[str, ...], effort: Effort, tell: Tell) -> GraphResults:
    """Fight the duels."""
    found = GraphResults(machine.describe((RAY,)), effort.seconds)
    for duel in programme(names):
        tell(f"graph, {crowd(duel.scene)}: {duel.one} against {duel.other}")
        found.duels.append(fight(duel, effort, tell, Means(enlist)))
    return found


def crowd(scene: Scene) -> str:
    """Return a scene in words."""
    return "1 connection" if scene.connections == 1 else f"{scene.connections} connections"


def quick(names: tuple[str, ...], effort: Effort, tell: Tell) -> list[tuple[str, Duel]]:
    """Fight the first rival with many clients."""
    one, other = names[:2]
    return [("graph", fight(Duel(CROWD, one, other), effort, tell, Means(enlist)))]
