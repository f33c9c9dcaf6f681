"""Run the calls of a sync model side by side, each in a thread, where its options ask for it.

To everything around it such a model is an async one, whose hook waits for a thread. A thread cannot
be interrupted: a call that nobody waits for is told so by `context.cancelled`, and its slot is its
own until its thread has come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from time import monotonic
from typing import Any

from msgspec.structs import force_setattr

from headrace.model.concurrency import threads_for
from headrace.model.envelope import Envelope, Reply
from headrace.model.hooks import Plan


def in_threads(plan: Plan) -> Plan:
    """Return the plan whose calls run in threads, or the same one if there is to be no other."""
    threads = threads_for(plan.options, plan.layout, plan.streams)
    if threads <= 1:
        return plan
    pool = ThreadPoolExecutor(threads, thread_name_prefix="headrace-call")

    async def run(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        thread = pool.submit(copy_context().run, plan.run, model, envelopes)
        work = asyncio.wrap_future(thread)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            _tell(envelopes)
            await asyncio.wait([work])
            work.exception()  # nobody else asks
            raise

    return replace(plan, layout="async", run_async=run)


def _tell(envelopes: Sequence[Envelope]) -> None:
    """Let `context.cancelled` be true from now on: the deadline is what every hook can see."""
    now = monotonic()
    for envelope in envelopes:
        force_setattr(envelope, "deadline", min(envelope.deadline, now))
