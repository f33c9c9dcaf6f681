"""How a model that is to go is torn down: by its `teardown`, else by its `aclose` or `close`."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger("headrace.model")
BY = ("teardown", "aclose", "close")


def teardown_of(model: Any) -> Callable[[], Any] | None:
    """Return what tears a model down; None where it is only dropped."""
    for name in BY:  # asked of its class: an object may answer to any name
        if callable(getattr(type(model), name, None)):
            found: Callable[[], Any] = getattr(model, name)
            return found
    return None


async def tear_down(model: Any, name: str) -> None:
    """Tear a model down on the event loop; what it raises is logged: nobody waits for it."""
    try:
        by = teardown_of(model)
        done = None if by is None else by()
        if inspect.isawaitable(done):
            await done
    except Exception:
        log.exception("the teardown of model %s raised", name)


def tear_down_now(model: Any, name: str) -> None:
    """Tear a model down in code that cannot await."""
    try:
        by = teardown_of(model)
        done = None if by is None else by()
        if inspect.isawaitable(done):
            _finish(done)
    except Exception:
        log.exception("the teardown of model %s raised", name)


def _finish(work: Awaitable[Any]) -> None:
    async def finish() -> None:
        await work

    asyncio.run(finish())
