"""What a scripted replica streams: parts of an answer, or its end before its call's."""

from __future__ import annotations

from headrace.core import credit, streaming
from headrace.core.messages import Outcome
from tests.core.scripted import Fate, Scripted
from tests.core.world import World


def stream(world: World, copy: Scripted, pick: int, *, ends: bool) -> None:
    """Send a part of an answer that its reader takes, or its end while its call goes on."""
    copy.claim()
    copy.look()
    calls = [call for call in copy.calls.values() if call.fate is Fate.RUNS]
    if not calls:
        return
    call = calls[pick % len(calls)]
    place = pick % len(call.requests)
    request = world.requests[call.requests[place]]
    waited = request.outcome is None and request.at == (copy.id, call.serial)
    if ends:
        world.cause = call
        world.tell(streaming.ended_early(world.engine, copy.id, call.serial, place))
        assert not waited or request.outcome is Outcome.ANSWERED
        return
    heard = streaming.part_came(world.engine, copy.id, call.serial, place, world.now)
    assert heard == (request.id if waited else None)
    if not waited:
        return
    idle_s = world.policies[request.deployment].item_timeout_s
    request.streamed = True
    if idle_s is not None and request.lower is None:
        request.deadline = min(request.latest, world.now + idle_s)
    request.taken += 3
    world.tell(streaming.took(world.engine, request.id, 3, world.now))
    assert request.taken - request.granted < credit.PORTION, "its reader waits for credit"
