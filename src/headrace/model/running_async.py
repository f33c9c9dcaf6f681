"""How a model with `async def` hooks runs a call: as `running` does, awaiting what must be awaited.

Cancelling the task cancels the hooks, and passes. A CancelledError that comes up by itself (a hook
awaited something that was cancelled) is only a failed hook: nobody has given up the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any

from headrace.model import called
from headrace.model.bisecting import Streak, renewed
from headrace.model.calling_async import serve_call
from headrace.model.calls import Call
from headrace.model.context import Several, abandon, context_of, current
from headrace.model.envelope import Envelope, Reply
from headrace.model.faults import TOO_LATE, fault_of
from headrace.model.sizes import bounded
from headrace.model.steps import Item, RunAsync, Steps, dealt
from headrace.model.waiting import came_by_itself as came_by_itself  # noqa: PLC0414 - asked for here


def one_by_one(steps: Steps) -> RunAsync:
    """Run the requests of a call one after the other."""

    async def serve(model: Any, envelope: Envelope) -> Reply:
        if envelope.deadline <= monotonic():
            return TOO_LATE
        context = context_of(envelope)
        token = current.set(context)
        hook = steps.read_hook
        try:
            value = steps.read(envelope)
            value = await _through(steps, "decode_request", steps.decode, model, value, context)
            hook = steps.told
            output = await _through(steps, "predict", steps.work, model, value, context)
            if steps.encode is not None:
                hook = "encode_response"
                output = await _through(steps, hook, steps.encode, model, output, context)
            return bounded(steps.answer(output, context))
        except Exception as error:  # noqa: BLE001 - the client waits, and hears of it
            return fault_of(error, hook, [context])
        except BaseException as error:
            if came_by_itself(error):
                return fault_of(error, hook, [context])
            abandon(context)
            raise
        finally:
            current.reset(token)

    return _in_turn(steps, serve)


def _in_turn(
    steps: Steps, serve: Callable[[Any, Envelope], Coroutine[Any, Any, Reply]]
) -> RunAsync:
    entrance = steps.entrance

    async def run(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        return [
            await (serve(model, each) if each.call is None else serve_call(entrance, model, each))
            for each in envelopes
        ]

    return run


def as_a_batch(steps: Steps, *, isolate: bool = True) -> RunAsync:
    """Decode each, run what could be decoded as one batch, encode each; the awaits side by side.

    With `isolate`, a batch that raises is run again in halves: see `bisecting`.
    """
    streak = Streak(isolate=isolate)

    async def run(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        items = [Item(envelope, place) for place, envelope in enumerate(envelopes)]
        try:
            if again := await _attempt(steps, streak, model, items):
                while again:
                    again += await _attempt(steps, streak, model, renewed(again.pop()))
                streak.ended(items)
        except BaseException:
            for item in items:
                abandon(item.context)
            raise
        return [item.reply for item in items if item.reply is not None]

    return run


async def _through(
    steps: Steps, hook: str, call: Call | None, model: Any, value: Any, context: Any
) -> Any:
    if call is None:
        return value
    result = call(model, value, context)
    return await result if hook in steps.waits else result


async def _each(jobs: list[Coroutine[Any, Any, None]], wait: bool) -> None:  # noqa: FBT001
    """Run the jobs; as tasks only where they wait, for a task costs more than a small decode."""
    if not wait or len(jobs) <= 1:
        for job in jobs:
            await job
        return
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:  # nothing to do unless one was cut short: then none may go on behind our back
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _attempt(steps: Steps, streak: Streak, model: Any, items: list[Item]) -> list[list[Item]]:
    """Run these together; return what is to be run again."""
    hook, waits = steps.work_hook, steps.waits
    await _each([_receive(steps, model, item) for item in items], "decode_request" in waits)
    ready = [item for item in items if item.reply is None]
    if not ready:
        return []
    try:
        outputs = await _compute(steps, model, ready)
    except Exception as error:  # noqa: BLE001 - their clients wait, and hear of it
        return streak.halves(ready, hook, error)
    except asyncio.CancelledError as error:
        if not came_by_itself(error):
            raise
        return streak.halves(ready, hook, error)
    streak.worked()
    pairs = zip(ready, outputs, strict=True)
    jobs = [_respond(steps, model, item, output) for item, output in pairs]
    await _each(jobs, "encode_response" in waits)
    return []


async def _receive(steps: Steps, model: Any, item: Item) -> None:
    if item.envelope.deadline <= monotonic():
        item.reply = TOO_LATE
        return
    call = item.envelope.call
    if call is not None and steps.entrance.runs_alone(call):
        item.reply = await serve_call(steps.entrance, model, item.envelope, item.place)
        return
    token = current.set(item.context)
    try:
        if call is not None:
            item.value = steps.entrance.one(item.envelope)
            return
        value = steps.read(item.envelope)
        item.value = await _through(
            steps, "decode_request", steps.decode, model, value, item.context
        )
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        item.fail(error, steps.read_hook)
    except asyncio.CancelledError as error:
        if not came_by_itself(error):
            raise
        item.fail(error, steps.read_hook)
    finally:
        current.reset(token)


async def _compute(steps: Steps, model: Any, items: list[Item]) -> list[Any]:
    """Run the batch and deal its outputs out; what the hook raises passes."""
    token = current.set(Several([item.context for item in items]))
    try:
        # The hook gets lists of its own: what it does to them reaches neither replies nor log.
        values, contexts = [item.value for item in items], [item.context for item in items]
        outputs = await _through(steps, steps.work_hook, steps.work, model, values, contexts)
        return dealt(outputs, len(items))
    finally:
        current.reset(token)


async def _respond(steps: Steps, model: Any, item: Item, output: Any) -> None:
    token = current.set(item.context)
    hook = steps.work_hook
    try:
        if isinstance(output, Exception):
            item.fail(output, hook)
            return
        if item.envelope.call is not None:
            item.reply = called.value(output)
            return
        hook = steps.last_hook
        output = await _through(steps, "encode_response", steps.encode, model, output, item.context)
        item.reply = bounded(steps.answer(output, item.context))
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        item.fail(error, hook)
    except asyncio.CancelledError as error:
        if not came_by_itself(error):
            raise
        item.fail(error, hook)
    finally:
        current.reset(token)
