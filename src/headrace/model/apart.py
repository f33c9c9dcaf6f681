"""A context for code that works for several requests, or for none: nothing of its callers is in it.

What a caller has set in variables of its own (a user, a trace, hr.current_context) stays its own.
Only the way to the server's other deployments goes along, which is the same for all of them.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

from headrace.model.handle import line_here, use_line_here

T = TypeVar("T")


def task_apart(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task whose context is its own."""
    loop = asyncio.get_running_loop()
    return fresh().run(loop.create_task, work)


def fresh() -> contextvars.Context:
    """Return a context with nothing in it but the way to the engine."""
    context = contextvars.Context()
    line = line_here()
    if line is not None:
        context.run(use_line_here, line)
    return context
