"""Who cancelled what: the task that runs a hook, or something that the hook awaited."""

from __future__ import annotations

import asyncio


def came_by_itself(error: BaseException) -> bool:
    """Tell whether a hook raised CancelledError though nobody cancelled the task it runs in."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and not task.cancelling()
