"""From a model class to its Plan: the hooks are read once, at load, and every mistake is told.

Where a class has both `predict` and `predict_batch`, `predict_batch` serves; `predict` is then for
direct calls, in unit tests say.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter as Signed
from typing import Any

from headrace.errors import ImpossibleStep
from headrace.model import running, whole
from headrace.model.answers import answerer
from headrace.model.arguments import (
    Arguments,
    Parameter,
    read_arguments,
    refuse_constructor,
    resolved,
)
from headrace.model.bodies import Body, body_of, reader_of_one
from headrace.model.calls import Call, call_with_nothing, call_with_one
from headrace.model.checks import STEPPING, Streams, check_class, has, streams_of, work_of
from headrace.model.deployment import Options
from headrace.model.entrance import Entrance
from headrace.model.envelope import Envelope, Reply
from headrace.model.group import Recipe
from headrace.model.job_body import TOLD
from headrace.model.mistakes import mistake
from headrace.model.names import kebab
from headrace.model.plan import Plan
from headrace.model.rendering import renderer
from headrace.model.results import encode_of
from headrace.model.steps import Run, RunAsync, Steps
from headrace.model.types import is_request

__all__ = ["Plan", "compile_plan"]

_LISTS = (list, Sequence, Iterable, typing.List, typing.Sequence)  # noqa: UP006


def compile_plan(cls: type, options: Options, *, is_made_with: bool = False) -> Plan:
    """Read a model class; raises ConfigError with class, hook and mend for any mistake in it.

    Unless it `is_made_with` arguments, its constructor must do without.
    """
    check_class(cls, options)
    if not is_made_with:
        refuse_constructor(cls)
    streams, work = streams_of(cls), work_of(cls)
    batched = work == "predict_batch"
    hooks = [h for h in ("decode_request", work, "encode_response") if has(cls, h)]
    taken = {hook: read_arguments(cls, hook, many=hook == "predict_batch") for hook in hooks}
    steps, needs_head = _steps(cls, work, taken)
    recipe = _recipe(cls, streams, steps, options) if streams else None
    if recipe is None:
        run, run_async = _runners(cls, steps, options, batched=batched)
    else:
        run, run_async = whole.runners(streams, recipe)
    begin = _outer_hook(cls, "setup", 1)
    _outer_hook(cls, "health", 0)
    _outer_hook(cls, "teardown", 0)
    return Plan(
        name=options.name or kebab(cls.__name__),
        target=cls,
        options=options,
        layout="async" if steps.waits or inspect.isasyncgenfunction(getattr(cls, work)) else "sync",
        batched=batched,
        wants_head=needs_head or bool(streams) or any(a.context for a in taken.values()),
        run=run,
        run_async=run_async,
        begin=begin,
        streams=streams,
        recipe=recipe,
        read=steps.read,
    )


def _steps(cls: type, work: str, taken: dict[str, Arguments]) -> tuple[Steps, bool]:
    """Put the hooks in order; tell also whether reading a body needs the request's head."""
    decode = encode = None
    if "decode_request" in taken:
        body = _decoding(cls, taken["decode_request"])
        decode, call = body.call, _taking_one(cls, taken[work])
    else:
        body = _batching(cls, taken[work]) if work == "predict_batch" else body_of(cls, taken[work])
        call = body.call
    if "encode_response" in taken:
        encode = _taking_one(cls, taken["encode_response"])
    last = "encode_response" if encode else "step" if work == "admit" else work
    asked = {
        hook: encode_of(cls, hook, last=hook == last) for hook in dict.fromkeys([*taken, last])
    }
    hooks = [*taken, *(hook for hook in STEPPING if work == "admit" and has(cls, hook))]
    steps = Steps(
        read=body.read,
        decode=decode,
        work=call,
        work_hook=work,
        encode=encode,
        answer=answerer(asked[last]),
        waits=frozenset(h for h in hooks if _is_async(getattr(cls, h))),
        read_hook="decode_request" if decode else "reading the body",
        entrance=Entrance(work, taken[work].context, streams_of(cls)),
        told=getattr(cls, TOLD, "predict"),
    )
    return steps, body.needs_head


def _recipe(cls: type, streams: Streams, steps: Steps, options: Options) -> Recipe:
    """Say how the items of a streaming model are come by, and written."""
    hook = "step" if streams == "steps" else steps.work_hook
    encode = encode_of(cls, "encode_response" if steps.encode else hook, last=True)
    step = leave = None
    if streams == "steps":
        step = _taking_one(cls, read_arguments(cls, "step", many=True))
        if has(cls, "leave"):
            leave = _taking_one(cls, read_arguments(cls, "leave", many=False))
    return Recipe(
        steps=steps,
        hook=getattr(cls, TOLD, hook),
        render=None if encode is None else renderer(encode),
        media="" if encode is None else encode.media_type,
        step=step,
        leave=leave,
        isolate=options.isolate_batch_errors,
    )


def _decoding(cls: type, arguments: Arguments) -> Body:
    if not arguments.data:
        raise mistake(
            cls, "decode_request", "has no parameter for the request", "add one: `request`"
        )
    return body_of(cls, arguments)


def _batching(cls: type, arguments: Arguments) -> Body:
    """Read one item of the list that `predict_batch` takes."""
    call = _taking_one(cls, arguments)
    first = arguments.data[0]
    item = _item_of(cls, first, resolved(cls, "predict_batch", first))
    one = Parameter(first.name, item, Signed.empty, by_position=True)
    read = reader_of_one(cls, "predict_batch", one, item)
    return Body(read, call, needs_head=is_request(item))


def _item_of(cls: type, parameter: Parameter, annotation: Any) -> Any:
    if annotation is Any or annotation in _LISTS:
        return Any
    if typing.get_origin(annotation) in _LISTS:
        return typing.get_args(annotation)[0]
    raise mistake(
        cls,
        "predict_batch",
        f"has `{parameter.name}` annotated `{annotation}`, and it gets a list of inputs",
        "annotate it `list[T]`, T being what one request sends",
    )


def _taking_one(cls: type, arguments: Arguments) -> Call:
    """Call a hook that gets one value from us, and nothing else but its context."""
    hook = arguments.hook
    if not arguments.data:
        raise mistake(cls, hook, "has no parameter for its input", f"add one: `{_USUAL[hook]}`")
    beyond = [parameter.name for parameter in arguments.data[1:] if parameter.required]
    if beyond:
        raise mistake(
            cls,
            hook,
            f"needs `{beyond[0]}`, and gets one value only besides its context",
            "give it a default, or let one request's fields arrive as one dataclass",
        )
    return call_with_one(arguments)


_USUAL = {
    "predict": "decoded",
    "predict_batch": "inputs",
    "encode_response": "output",
    "admit": "x",
    "step": "states",
    "leave": "state",
}


def _is_async(hook: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(
        getattr(hook, "__call__", None)  # noqa: B004 - an object in place of a method
    )


def _outer_hook(cls: type, hook: str, most: int) -> Call | None:
    """Say how a hook that serves no request is called; `most` is how much it may be given."""
    if not has(cls, hook):
        return None
    arguments = read_arguments(cls, hook, many=False)
    beyond = [parameter.name for parameter in arguments.data[most:] if parameter.required]
    if arguments.context or beyond:
        mend = "it may take `device`, nothing else" if most else "it takes nothing"
        name = arguments.context or beyond[0]
        raise mistake(cls, hook, f"needs `{name}`, which it cannot have", mend)
    return call_with_one(arguments) if arguments.data[:most] else call_with_nothing(arguments)


def _runners(cls: type, steps: Steps, options: Options, *, batched: bool) -> tuple[Run, RunAsync]:
    isolate = options.isolate_batch_errors
    if steps.waits:
        from headrace.model import running_async  # noqa: PLC0415 - asyncio, for those who need it

        if batched:
            return _never(cls), running_async.as_a_batch(steps, isolate=isolate)
        return _never(cls), running_async.one_by_one(steps)
    run = running.as_a_batch(steps, isolate=isolate) if batched else running.one_by_one(steps)

    async def run_async(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        return run(model, envelopes)

    return run, run_async


def _never(cls: type) -> Run:
    def run(_model: Any, _envelopes: Sequence[Envelope]) -> list[Reply]:
        raise ImpossibleStep(f"{cls.__qualname__} has async hooks: run_async runs it")

    return run
