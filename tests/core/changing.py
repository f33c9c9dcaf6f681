"""More replicas, fewer, none: what the world asks for, and what it then may expect."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from headrace.core.draining import Stage
from headrace.core.messages import DeploymentId
from headrace.core.replicas import State
from tests.core.scripted import Scripted

if TYPE_CHECKING:
    from tests.core.world import World


def scale(world: World, deployment: str, replicas: int) -> None:
    """Want another number of replicas."""
    world.cause = scale
    if not world.ends(deployment):
        world.wanted[deployment] = replicas
    world.tell(world.engine.scaled(DeploymentId(deployment), replicas, world.now))


def retire(world: World, deployment: str, grace_s: float) -> None:
    """Take a deployment out of service; ask again, and it can only be sooner."""
    before = world.leave_by.get(deployment)
    by = world.now + grace_s
    world.leave_by[deployment] = by if before is None else min(before, by)
    world.cause = None
    world.end_turn(world.engine.retired(DeploymentId(deployment), grace_s, world.now))


def note(world: World) -> None:
    """Take over what is the engine's choice, and no fact of the world: who is one too many."""
    for copy in world.replicas.values():
        known = world.engine.fleet.copies.get(copy.id)
        state = None if known is None else known.state
        copy.retiring = state is State.RETIRING or (copy.retiring and state is State.DRAINING)
    for name in world.leave_by:
        pool = world.engine.pools.get(DeploymentId(name))
        if pool is not None and pool.exit.stage >= Stage.EVICTING:
            world.sent_away.add(name)


def evicted(world: World, copy: Scripted) -> None:
    """Hold the engine to it that a replica is let go for a reason, and once."""
    assert not copy.evicted
    copy.evicted = True
    if copy.retiring and not copy.calls:
        return
    if world.cause is scale:
        assert not copy.calls, "it has calls to end"
    elif copy.deployment not in world.sent_away:
        assert world.stop_by < inf, "it is needed"
        world.evicting = True


def all_as_wanted(world: World) -> None:
    """Who left did so in time; there are as many as wanted, or they are on their way.

    Who is being replaced may be one too many: it goes anyway.
    """
    for name in world.sent_away:
        assert world.now >= world.leave_by[name] or not world.live(name)
    for name in world.served:
        pool = world.engine.pools[DeploymentId(name)]
        if world.ends(name) or name in world.given_up:
            continue
        there = len(world.staying(name)) + len(pool.restarts)
        doomed = sum(copy.doomed for copy in world.staying(name))
        checkups = [copy.checkup for copy in pool.copies.values()]
        owed = sum(checkup is not None and checkup.owed for checkup in checkups)
        assert there - doomed <= world.wanted[name] <= there + owed
