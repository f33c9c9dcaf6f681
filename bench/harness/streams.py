"""Streams: how many items a second, and how soon the first."""

from contextlib import ExitStack
from pathlib import Path

from harness import machine
from harness.contenders import BASE, HEADRACE, Contender, headrace, peer, source_of
from harness.duels import Effort, Means, Tell, fight
from harness.firsts import listen
from harness.questions import JSON, Question
from harness.results import ITEMS, Duel, First, Scene, StreamsResults
from harness.serving import Unavailable, serving
from harness.venvs import CannotInstall

PEERS = ("litserve",)
CROWD, LONE = Scene(64, batched=False), Scene(1, batched=False)
SCENES = (CROWD, LONE)


def question(items: int = ITEMS) -> Question:
    """Return what asks for so many words."""
    body, answer = str(items), "".join(f"word {number}\n" for number in range(items)).encode()
    return Question(body.encode(), lambda told: told == answer, JSON, ("streams.lua", body))


def enlist(name: str, _scene: Scene, base: Path | None) -> Contender:
    """Return how to start a contender.

    Raises CannotInstall.
    """
    if name in {HEADRACE, BASE}:
        command, own = headrace("streams_headrace.py", source_of(name, base))
    else:
        command, own = peer(name, "streams"), {}
    return Contender(
        name, batched=False, command=command, environment=own, question=question(), bench="streams"
    )


def measure(names: tuple[str, ...], effort: Effort, tell: Tell) -> StreamsResults:
    """Fight the duels, then listen to everybody's first items in turn."""
    found = StreamsResults(machine.describe(PEERS), effort.seconds)
    one, *others = names
    for duel in [Duel(scene, one, other) for scene in SCENES for other in others]:
        tell(f"streams, {crowd(duel.scene)}: {one} against {duel.other}")
        found.duels.append(fight(duel, effort, tell, Means(enlist)))
    tell(f"first items of one client, {effort.pairs} turns")
    found.firsts.extend(firsts(names, effort, tell))
    return found


def quick(names: tuple[str, ...], effort: Effort, tell: Tell) -> list[tuple[str, Duel]]:
    """Fight the first rival with many clients."""
    one, other = names[:2]
    return [("streams", fight(Duel(CROWD, one, other), effort, tell, Means(enlist)))]


def crowd(scene: Scene) -> str:
    """Return a scene in words."""
    return "1 at a time" if scene.connections == 1 else f"{scene.connections} at a time"


def firsts(names: tuple[str, ...], effort: Effort, tell: Tell) -> list[First]:
    """Listen to one stream after the other, the servers in turn; the first turn is the warm-up."""
    found = {name: First(name) for name in names}
    try:
        with ExitStack() as up:
            servers = [up.enter_context(serving(enlist(name, LONE, effort.base))) for name in names]
            for turn in range(effort.pairs + 1):
                for name, server in zip(names, servers, strict=True):
                    heard = listen(server)
                    if turn:
                        found[name].firsts_ms.extend(round(first, 4) for first, _ in heard)
                        found[name].wholes_ms.extend(round(whole, 4) for _, whole in heard)
    except (CannotInstall, Unavailable) as error:
        tell(f"  skipped: {error}")
        return [First(name, note=f"skipped: {error}") for name in names]
    return list(found.values())
