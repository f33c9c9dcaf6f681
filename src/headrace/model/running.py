"""How a model without `async def` runs a call: every request gets exactly one reply, in order.

No Exception leaves here, whatever a hook does. A BaseException does (Cancelled, KeyboardInterrupt):
whoever raised it has taken the whole call upon himself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from headrace.model.bisecting import Streak, renewed
from headrace.model.called import value
from headrace.model.calling import serve_call
from headrace.model.context import Several, abandon, context_of, current
from headrace.model.envelope import Envelope, Reply
from headrace.model.faults import TOO_LATE, fault_of
from headrace.model.sizes import bounded
from headrace.model.steps import Item, Run, Steps, dealt


def one_by_one(steps: Steps) -> Run:
    """Run the requests of a call one after the other."""
    read, decode, predict, encode = steps.read, steps.decode, steps.work, steps.encode
    answer, enter, leave = steps.answer, current.set, current.reset

    def serve(model: Any, envelope: Envelope) -> Reply:
        if envelope.deadline <= monotonic():
            return TOO_LATE
        context = context_of(envelope)
        token = enter(context)
        hook = steps.read_hook
        try:
            value = read(envelope)
            if decode is not None:
                value = decode(model, value, context)
            hook = steps.told
            output = predict(model, value, context)
            if encode is not None:
                hook = "encode_response"
                output = encode(model, output, context)
            return bounded(answer(output, context))
        except Exception as error:  # noqa: BLE001 - the client waits, and hears of it
            return fault_of(error, hook, [context])
        except BaseException:
            abandon(context)
            raise
        finally:
            leave(token)

    return _each(steps, serve)


def _each(steps: Steps, serve: Callable[[Any, Envelope], Reply]) -> Run:
    entrance = steps.entrance

    def run(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        return [
            serve(model, each) if each.call is None else serve_call(entrance, model, each)
            for each in envelopes
        ]

    return run


def as_a_batch(steps: Steps, *, isolate: bool = True) -> Run:
    """Decode each, run what could be decoded as one batch, encode each.

    With `isolate`, a batch that raises is run again in halves: see `bisecting`.
    """
    streak = Streak(isolate=isolate)

    def run(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        items = [Item(envelope, place) for place, envelope in enumerate(envelopes)]
        try:
            if again := _attempt(steps, streak, model, items):
                while again:
                    again += _attempt(steps, streak, model, renewed(again.pop()))
                streak.ended(items)
        except BaseException:
            for item in items:
                abandon(item.context)
            raise
        return [item.reply for item in items if item.reply is not None]

    return run


def _attempt(steps: Steps, streak: Streak, model: Any, items: list[Item]) -> list[list[Item]]:
    """Run these together; return what is to be run again."""
    for item in items:
        _receive(steps, model, item)
    ready = [item for item in items if item.reply is None]
    if not ready:
        return []
    try:
        outputs = _compute(steps, model, ready)
    except Exception as error:  # noqa: BLE001 - their clients wait, and hear of it
        return streak.halves(ready, steps.work_hook, error)
    streak.worked()
    for item, output in zip(ready, outputs, strict=True):
        _respond(steps, model, item, output)
    return []


def _receive(steps: Steps, model: Any, item: Item) -> None:
    if item.envelope.deadline <= monotonic():
        item.reply = TOO_LATE
        return
    call = item.envelope.call
    if call is not None and steps.entrance.runs_alone(call):
        item.reply = serve_call(steps.entrance, model, item.envelope, item.place)
        return
    token = current.set(item.context)
    try:
        if call is not None:
            item.value = steps.entrance.one(item.envelope)
            return
        item.value = steps.read(item.envelope)
        if steps.decode is not None:
            item.value = steps.decode(model, item.value, item.context)
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        item.fail(error, steps.read_hook)
    finally:
        current.reset(token)


def _compute(steps: Steps, model: Any, items: list[Item]) -> list[Any]:
    """Run the batch and deal its outputs out; what the hook raises passes."""
    token = current.set(Several([item.context for item in items]))
    try:
        # The hook gets lists of its own: what it does to them reaches neither replies nor log.
        contexts = [item.context for item in items]
        outputs = steps.work(model, [item.value for item in items], contexts)
        return dealt(outputs, len(items))
    finally:
        current.reset(token)


def _respond(steps: Steps, model: Any, item: Item, output: Any) -> None:
    token = current.set(item.context)
    hook = steps.work_hook
    try:
        if isinstance(output, Exception):
            item.fail(output, hook)
            return
        if item.envelope.call is not None:
            item.reply = value(output)
            return
        hook = steps.last_hook
        if steps.encode is not None:
            output = steps.encode(model, output, item.context)
        item.reply = bounded(steps.answer(output, item.context))
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        item.fail(error, hook)
    finally:
        current.reset(token)
