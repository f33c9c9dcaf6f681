"""Replicas that hold models of their own: what the world knows of them, and may expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.core import multiplexing
from tests.core import hanging
from tests.core.books import Request
from tests.core.scripted import Scripted

if TYPE_CHECKING:
    from tests.core.world import World

MODELS = ["", "a", "b", "c", "d"]


def model_of(world: World, deployment: str, number: int) -> str:
    """Return which model a request asks for; none where there is but one."""
    return MODELS[number * 3 % 5] if world.policies[deployment].multiplexed else ""


def hold(world: World, copy: Scripted, models: list[str], load_s: float) -> None:
    """Let a replica tell what it has now."""
    copy.models = frozenset(models)
    name = copy.deployment
    if load_s:
        known = world.load_s.get(name, load_s)
        world.load_s[name] = known + (load_s - known) / 4
    multiplexing.holds(world.engine, copy.id, models, load_s)
    world.tell([])


def patience_s(world: World, name: str) -> float:
    return world.load_s.get(name, 1.0)


def known(world: World, copy: Scripted) -> set[str]:
    """Return the models that it has, and those that it was sent requests for."""
    sent = {world.requests[call.requests[0]].model_id for call in copy.own}
    return set(copy.models) | (sent - {""})


def open_ones(world: World, name: str) -> list[Scripted]:
    """Return the replicas that go on taking calls."""
    there = [copy for copy in world.staying(name) if copy.ready and not copy.doomed]
    return [copy for copy in there if not hanging.overdue(copy, world.now)]


def has_room(copy: Scripted) -> bool:
    """Tell whether there is room for sure: a leaf that is busy may have some as well."""
    if copy.recalled:
        return False
    if copy.leaf:
        return not copy.calls
    return sum(len(call.requests) for call in copy.own) < copy.policy.slots


def sent(world: World, copy: Scripted, requests: list[Request]) -> None:
    """Hold the engine to it that a call is for one model, its eldest, and that it goes home."""
    name, first = copy.deployment, requests[0]
    assert {request.model_id for request in requests} == {first.model_id}
    if first.suspect:
        return
    there = world.waiting(name) if first.lower is None else world.behind(name)
    line = [r for r in there if not r.suspect and r.model_id == first.model_id]
    line = [r for r in line if r.id not in world.just_back]
    assert requests == line[: len(requests)], "of those who want a model, the eldest go first"
    if first.lower is not None:
        return  # it takes what is left, wherever that is
    if not first.model_id or first.model_id in known(world, copy):
        return
    others = [other for other in open_ones(world, name) if other is not copy]
    holders = [other for other in others if first.model_id in known(world, other)]
    assert not any(map(has_room, holders)), "its model is elsewhere, with room"
    assert not holders or world.now >= first.arrived + patience_s(world, name), "it waits longer"
    fewest = min((len(known(world, o)) for o in others if has_room(o)), default=99)
    assert len(known(world, copy)) <= fewest, "another one has fewer models"


def nothing_lies_before(world: World, copy: Scripted) -> None:
    """Hold the engine to it that a replica with room was sent what is ripe, and may go there."""
    name, policy = copy.deployment, copy.policy
    if not has_room(copy):
        return
    calm = [request for request in world.waiting(name) if not request.suspect]
    held = sum(len(call.requests) for call in copy.own)
    full = policy.batch.max_size if copy.leaf else policy.slots - held
    for model in {request.model_id for request in calm}:
        lane = [request for request in calm if request.model_id == model]
        ripe_at = lane[0].arrived + policy.batch.max_wait_s
        if len(lane) >= min(policy.batch.max_size, full):
            ripe_at = lane[0].arrived
        at_home = not model or model in known(world, copy)
        if not at_home and any(model in known(world, o) for o in open_ones(world, name)):
            ripe_at = max(ripe_at, lane[0].arrived + patience_s(world, name))
        assert world.now < ripe_at, f"{len(lane)} for {model!r} could go"
        assert world.alarm <= ripe_at
