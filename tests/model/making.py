"""What the tests of this room build with: envelopes, plans, and the same model with async hooks."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from headrace.model.api import Model
from headrace.model.checks import HOOKS
from headrace.model.deployment import options_of
from headrace.model.envelope import Envelope, Fault, Head, Reply
from headrace.model.hooks import Plan, compile_plan

JSON = "application/json"


def envelope(
    body: bytes | str = b"null",
    content_type: str | None = JSON,
    *,
    label: str = "r-1",
    deadline: float = inf,
    attempt: int = 1,
    headers: Sequence[tuple[bytes, bytes]] = (),
    query: bytes = b"",
) -> Envelope:
    raw = body.encode() if isinstance(body, str) else body
    head = Head("POST", "/predict", query, list(headers), "10.0.0.7")
    return Envelope(label, deadline, attempt, content_type, raw, head)


def plan_of(cls: type) -> Plan:
    return compile_plan(cls, options_of(cls))


def run(plan: Plan, envelopes: Sequence[Envelope], model: Model | None = None) -> list[Reply]:
    model = plan.make() if model is None else model
    if plan.layout == "sync":
        return plan.run(model, envelopes)
    return asyncio.run(running(plan, model, envelopes))


async def running(plan: Plan, model: Model, envelopes: Sequence[Envelope]) -> list[Reply]:
    return await plan.run_async(model, envelopes)


def ask(cls: type, body: bytes | str = b"null", content_type: str | None = JSON) -> Reply:
    (reply,) = run(plan_of(cls), [envelope(body, content_type)])
    return reply


def fault(cls: type, body: bytes | str = b"null", content_type: str | None = JSON) -> Fault:
    reply = ask(cls, body, content_type)
    assert isinstance(reply, Fault)
    return reply


def unchanged(cls: type[Model]) -> type[Model]:
    return cls


def with_async_hooks(cls: type[Model]) -> type[Model]:
    """Derive the same model with every hook `async def`, giving way once before it begins."""
    hooks = {hook: _awaited(getattr(cls, hook)) for hook in HOOKS if hasattr(cls, hook)}
    return type(cls.__name__, (cls,), hooks)


def _awaited(hook: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(hook)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return hook(*args, **kwargs)

    return awaited


LAYOUTS = [unchanged, with_async_hooks]
Layout = Callable[[type[Model]], type[Model]]
