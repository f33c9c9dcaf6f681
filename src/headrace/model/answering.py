"""What every streaming model does with a request: read it, write its items, end it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

from headrace.model.api import DONE
from headrace.model.called import value
from headrace.model.context import Context, current
from headrace.model.entrance import finished, gives_items
from headrace.model.envelope import Call
from headrace.model.faults import TOO_LATE, fault_of
from headrace.model.group import Recipe
from headrace.model.outlet import Outlet


def receive(recipe: Recipe, model: Any, outlet: Outlet) -> None:
    """Read and decode a request; what cannot be decoded has failed."""
    if outlet.envelope.deadline <= monotonic():
        outlet.fail(TOO_LATE)
        return
    steps, context, call = recipe.steps, outlet.context, outlet.envelope.call
    token = current.set(context)
    try:
        if call is not None:
            enter(recipe, model, outlet, call)
            return
        outlet.value = steps.read(outlet.envelope)
        if steps.decode is not None:
            outlet.value = steps.decode(model, outlet.value, context)
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        outlet.fail(fault_of(error, steps.read_hook, [context]), error)
    finally:
        current.reset(token)


def enter(recipe: Recipe, model: Any, outlet: Outlet, call: Call) -> None:
    """Read what a handle's call brings, where it is one of several; or answer it, if it is not."""
    entrance = recipe.steps.entrance
    if entrance.streams == "each":
        return  # all of it is in `items_of`
    if entrance.runs_alone(call):
        result = entrance.enter(model, outlet.envelope, outlet.context)
        outlet.answer(value(finished(result, call.method)))
    else:
        outlet.value = entrance.one(outlet.envelope)


def items_of(recipe: Recipe, model: Any, outlet: Outlet) -> Iterator[Any]:
    """Begin a generator for one request; a method that gives one value has answered with it."""
    if outlet.envelope.call is None:
        items: Iterator[Any] = iter(recipe.steps.work(model, outlet.value, outlet.context))
        outlet.value = None
        return items
    result = recipe.steps.entrance.enter(model, outlet.envelope, outlet.context)
    if gives_items(result):
        return iter(result)
    outlet.answer(value(finished(result, recipe.steps.entrance.hook_of(outlet.envelope.call))))
    return iter(())


def respond(recipe: Recipe, model: Any, outlet: Outlet, output: Any) -> bool:
    """Do with an answer what a step says of it; tell whether more is to come."""
    if ends(output):
        end(recipe, outlet, output)
        return False
    if not outlet.listening:
        return True
    steps, context = recipe.steps, outlet.context
    token = current.set(context)
    try:
        if outlet.envelope.call is not None:
            outlet.give(output)
            return True
        if steps.encode is not None:
            output = steps.encode(model, output, context)
        outlet.give(output if recipe.render is None else recipe.render(output))
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        outlet.fail(fault_of(error, recipe.last_hook, [context]), error)
    finally:
        current.reset(token)
    return True


def ends(output: Any) -> bool:
    """Tell if an item is the end of its answer; by its type, for an object may lie, or raise."""
    return output is DONE or issubclass(type(output), Exception)


def end(recipe: Recipe, outlet: Outlet, output: Any) -> None:
    """End an answer: well, or with its exception."""
    hook = recipe.hook
    if output is not DONE:
        if outlet.listening:
            outlet.fail(fault_of(output, hook, [outlet.context]), output)
        return
    try:
        outlet.finish()
    except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
        outlet.fail(fault_of(error, hook, [outlet.context]), error)


def fail_all(error: BaseException, hook: str, outlets: Sequence[Outlet]) -> None:
    """End every answer that still goes on."""
    open_ = [outlet for outlet in outlets if outlet.reply is None]
    if open_:
        fault = fault_of(error, hook, contexts_of(open_))
        for outlet in open_:
            outlet.fail(fault, error)


def close(items: Iterator[Any] | None, recipe: Recipe, outlets: Sequence[Outlet]) -> None:
    """Close a generator; what it raises then is for the log alone: its answers have ended."""
    try:
        if items is not None and hasattr(items, "close"):
            items.close()
    except Exception as error:  # noqa: BLE001 - no client waits
        fault_of(error, f"{recipe.hook}, as it was closed,", contexts_of(outlets))
    finally:
        for outlet in outlets:
            outlet.let_go()


def has_room(outlets: Sequence[Outlet]) -> bool:
    """Tell if one of them can send, or none waits for anything."""
    return any(outlet.room for outlet in outlets) or not any(o.listening for o in outlets)


def contexts_of(outlets: Sequence[Outlet]) -> list[Context]:
    """List their contexts."""
    return [outlet.context for outlet in outlets]
