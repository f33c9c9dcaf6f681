"""Requests of the lower class: what the world knows of them, and may expect."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from headrace.core import background, sharing
from headrace.core.messages import DeploymentId, Due, Left, Outcome, RequestId, Why
from headrace.core.records import Lower
from headrace.errors import Draining, StillLoading
from tests.core.books import Request
from tests.core.scripted import Scripted

if TYPE_CHECKING:
    from tests.core.world import World

NINE = round((1 - sharing.SHARE) / sharing.SHARE)
"""So many online requests may go past those in the background, and then the call that is full."""


def arrive(world: World, deployment: str, lower: Lower) -> None:
    """Bring a request that nobody waits for."""
    world.last += 1
    number = RequestId(world.last)
    model_id = ""
    if world.policies[deployment].multiplexed:
        model_id = ["", "a", "b", "c", "d"][number * 3 % 5]
    try:
        background.arrived(
            world.engine, number, DeploymentId(deployment), lower, world.now, model_id
        )
    except Draining:
        assert world.ends(deployment)
        return
    except StillLoading:
        assert deployment not in world.ever_ready
        return
    assert deployment in world.ever_ready
    assert not world.ends(deployment)
    request = Request(number, deployment, world.now, inf, None, lower=lower, model_id=model_id)
    if lower.is_suspect:
        request.deaths.append(Why.CRASHED)
    world.requests[number] = request
    world.tell([])


def heard(world: World, action: Due | Left) -> None:
    """Hear that the time of one begins, or that nothing runs it any more."""
    request = world.requests[action.request]
    assert request.lower is not None
    if isinstance(action, Due):
        assert action.deadline == world.now + request.lower.limit_s
        request.deadline = request.latest = action.deadline
    else:
        assert request.outcome is not None, "its end is told first"
        assert not request.has_left, "it leaves once"
        request.has_left = True


def go_in_order(world: World, copy: Scripted, known: list[Request]) -> None:
    """Hold the engine to it that either line is taken from its front."""
    name = copy.deployment
    if known[0].suspect:
        return
    for is_lower in (False, True):
        line = world.behind(name) if is_lower else world.waiting(name)
        line = [r for r in line if not r.suspect and r.id not in world.just_back]
        some = [request for request in known if (request.lower is not None) is is_lower]
        assert some == line[: len(some)], "the eldest go first"
    is_ahead = copy.leaf and bool(copy.calls)
    there = [c for c in world.staying(name) if c.ready and not c.doomed]
    if is_ahead:
        assert all(c.calls or c.silent for c in there), "another one has nothing to do"


def share(world: World, copy: Scripted, known: list[Request]) -> None:
    """Hold the engine to it that who waits in the background has a place now and then."""
    name = copy.deployment
    online = sum(request.lower is None for request in known)
    left = [request for request in world.behind(name) if request not in known]
    passed = world.passed.get(name, 0)
    is_free = known[0].suspect or copy.policy.multiplexed  # to hold one only, or one model's
    assert passed < NINE or online < len(known) or is_free, f"{passed} went past {len(left)}"
    world.passed[name] = passed + online if left and online == len(known) else 0


def blamed(request: Request, cause: object) -> None:
    """Hold the engine to it that it blames one that ran alone."""
    assert request.lower is not None
    assert cause == (Why.CRASHED, {request.id})


def nothing_lies_before(world: World, copy: Scripted) -> None:
    """Hold the engine to it that an idle replica was sent what is ripe of the background."""
    line = [request for request in world.behind(copy.deployment) if not request.suspect]
    if copy.policy.multiplexed or copy.calls or not line or world.waiting(copy.deployment):
        return
    full = min(copy.policy.batch.max_size, copy.policy.slots or 1000)
    assert len(line) < full, "a full batch of the background is left lying"
    ripe_at = line[0].arrived + copy.policy.batch.max_wait_s
    assert world.now < ripe_at <= world.alarm or world.alarm <= ripe_at


def all_left(world: World) -> None:
    """Hold the engine to it that it has told of each that nothing runs it any more."""
    lowers = [request for request in world.requests.values() if request.lower is not None]
    assert all(request.has_left for request in lowers)
    assert all(request.outcome is not Outcome.UNREADY for request in lowers)
