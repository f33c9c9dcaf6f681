"""Who is tried again after a replica died, so that only the one that kills fails."""

from __future__ import annotations

from random import Random

import pytest

from headrace.core.messages import Outcome, Why
from headrace.core.poison import is_suspect, try_again
from tests.core.walk import POLICIES
from tests.core.world import World

ROWS = [
    ("C", True),
    ("CC", False),
    ("K", True),
    ("KK", True),
    ("KKK", False),
    ("KC", True),  # it may have been a batch-mate that crashed: it was never tried alone
    ("CK", True),
    ("KKC", True),
    ("KCC", False),
]


@pytest.mark.parametrize(("deaths", "again"), ROWS)
def test_crashes_and_kills_are_counted_apart(deaths: str, *, again: bool) -> None:
    seen = tuple(Why.CRASHED if death == "C" else Why.KILLED for death in deaths)
    assert try_again(seen, allowed=True) is again
    assert not try_again(seen, allowed=False)
    assert is_suspect(seen) == ("C" in deaths)


def step(world: World, killers: set[int], chance: Random) -> None:
    """Let one replica start, work, or die of what it runs."""
    if not world.replicas:
        world.ring()
        return
    copy = chance.choice(list(world.replicas.values()))
    if not copy.ready:
        world.get_ready(copy)
        return
    copy.claim()
    copy.look()
    begun = {n for call in copy.own if call.serial <= copy.claimed for n in call.requests}
    if begun & killers and chance.random() < 0.5:
        world.die(copy, Why.CRASHED)
        return
    harmless = [c for c in copy.calls.values() if c in copy.begun_as_told]
    harmless = [c for c in harmless if not killers & set(c.requests)]
    if harmless and harmless[0].serial <= copy.claimed:
        world.finish(copy, harmless[0].serial, 0.01)
    elif not any(each.calls or not each.ready for each in world.replicas.values()):
        world.ring()


@pytest.mark.parametrize("name", ["plain", "batched", "patient", "tasks"])
def test_only_those_that_kill_fail(name: str) -> None:
    for seed in range(15):
        chance = Random(seed)
        killers = set(chance.sample(range(1, 13), seed % 4))
        world = World({name: POLICIES[name]})
        for copy in list(world.replicas.values()):
            world.get_ready(copy)
        for _ in range(12):
            world.arrive(name, 10_000.0)
        while world.live():
            world.end_turn()
            step(world, killers, chance)
        lost = {n for n, request in world.requests.items() if request.outcome is Outcome.LOST}
        assert lost == killers
        outcomes = {request.outcome for request in world.requests.values()}
        assert outcomes <= {Outcome.LOST, Outcome.ANSWERED}
