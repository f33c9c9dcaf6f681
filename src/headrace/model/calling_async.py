"""How a call through a handle runs alone in a model with `async def`; see `running_async`."""

from __future__ import annotations

from time import monotonic
from typing import Any

from headrace.model.called import fault, value
from headrace.model.context import abandon, context_of, current
from headrace.model.entrance import Entrance, finished_async
from headrace.model.envelope import Call, Envelope, Reply
from headrace.model.faults import TOO_LATE
from headrace.model.waiting import came_by_itself


async def serve_call(entrance: Entrance, model: Any, envelope: Envelope, place: int = 0) -> Reply:
    """Run one call, and answer it with its value."""
    if envelope.deadline <= monotonic():
        return TOO_LATE
    context = context_of(envelope, place)
    token = current.set(context)
    hook = entrance.hook_of(envelope.call or Call())
    try:
        result = entrance.enter(model, envelope, context)
        return value(await finished_async(result, hook))
    except Exception as error:  # noqa: BLE001 - the caller waits, and hears of it
        return fault(error, hook, [context])
    except BaseException as error:
        if came_by_itself(error):
            return fault(error, hook, [context])
        abandon(context)
        raise
    finally:
        current.reset(token)
