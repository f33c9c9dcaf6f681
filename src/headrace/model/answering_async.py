"""What a streaming model with `async def` does with a request: as `answering` does, awaiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from headrace.model.answering import contexts_of, end, ends, enter
from headrace.model.called import value
from headrace.model.calls import Call as HookCall
from headrace.model.context import current
from headrace.model.entrance import finished_async, gives_items
from headrace.model.envelope import Call
from headrace.model.faults import TOO_LATE, fault_of
from headrace.model.group import END, Recipe
from headrace.model.outlet import Outlet
from headrace.model.waiting import came_by_itself

FAILS = (Exception, asyncio.CancelledError)
"""What a hook may raise; a cancellation of the task itself is then told apart by `cancelled`."""


async def receive(recipe: Recipe, model: Any, outlet: Outlet) -> None:
    """Read and decode a request; what cannot be decoded has failed."""
    if outlet.envelope.deadline <= monotonic():
        outlet.fail(TOO_LATE)
        return
    steps, context, call = recipe.steps, outlet.context, outlet.envelope.call
    current.set(context)
    try:
        if call is not None:
            await _enter(recipe, model, outlet, call)
            return
        outlet.value = steps.read(outlet.envelope)
        if steps.decode is not None:
            outlet.value = await through(
                recipe, "decode_request", steps.decode, model, outlet.value, context
            )
    except FAILS as error:
        if cancelled(error):
            raise
        outlet.fail(fault_of(error, steps.read_hook, [context]), error)


async def _enter(recipe: Recipe, model: Any, outlet: Outlet, call: Call) -> None:
    """Do what `answering.enter` does, awaiting."""
    entrance = recipe.steps.entrance
    if entrance.streams != "each" and entrance.runs_alone(call):
        result = entrance.enter(model, outlet.envelope, outlet.context)
        outlet.answer(value(await finished_async(result, call.method)))
    else:
        enter(recipe, model, outlet, call)


async def items_of(recipe: Recipe, model: Any, outlet: Outlet) -> Any:
    """Begin a generator for one request, as `answering.items_of` does, awaiting."""
    call = outlet.envelope.call
    if call is None:
        items = recipe.steps.work(model, outlet.value, outlet.context)
        outlet.value = None
        return items if hasattr(items, "__anext__") else iter(items)
    result = recipe.steps.entrance.enter(model, outlet.envelope, outlet.context)
    if gives_items(result):
        return result
    method = recipe.steps.entrance.hook_of(call)
    outlet.answer(value(await finished_async(result, method)))
    return iter(())


async def respond(recipe: Recipe, model: Any, outlet: Outlet, output: Any) -> bool:
    """Do with an answer what a step says of it; tell whether more is to come."""
    if ends(output):
        end(recipe, outlet, output)
        return False
    if not outlet.listening:
        return True
    context, encode = outlet.context, recipe.steps.encode
    current.set(context)
    try:
        if outlet.envelope.call is not None:
            outlet.give(output)
            return True
        if encode is not None:
            output = await through(recipe, "encode_response", encode, model, output, context)
        outlet.give(output if recipe.render is None else recipe.render(output))
    except FAILS as error:
        if cancelled(error):
            raise
        outlet.fail(fault_of(error, recipe.last_hook, [context]), error)
    return True


def cancelled(error: BaseException) -> bool:
    """Tell whether the task itself was cancelled, not something that a hook awaited."""
    return isinstance(error, asyncio.CancelledError) and not came_by_itself(error)


async def through(
    recipe: Recipe, hook: str, call: HookCall, model: Any, value: Any, context: Any
) -> Any:
    """Call a hook, and await it if it is `async def`."""
    result = call(model, value, context)
    return await result if hook in recipe.steps.waits else result


async def following(items: Any) -> Any:
    """Give the next item of a generator of either kind, or END."""
    if hasattr(items, "__anext__"):
        return await anext(items, END)
    return next(items, END)


async def close(items: Any, recipe: Recipe, outlets: Sequence[Outlet], *, cut: bool) -> None:
    """Close a generator; one that stands at a `yield`, given up, is cancelled there.

    What it raises is for the log alone: its answers have ended.
    """
    try:
        if cut and hasattr(items, "athrow"):
            await _cancel_at_yield(items)
        if hasattr(items, "aclose"):
            await items.aclose()
        elif hasattr(items, "close"):
            items.close()
    except Exception as error:  # noqa: BLE001 - no client waits
        fault_of(error, f"{recipe.hook}, as it was closed,", contexts_of(outlets))


async def _cancel_at_yield(items: Any) -> None:
    try:
        await items.athrow(asyncio.CancelledError())
    except (asyncio.CancelledError, StopAsyncIteration):
        return
