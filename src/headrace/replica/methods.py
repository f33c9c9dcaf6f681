"""A call through a handle to a plain class or function, or to the class behind an application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from headrace.errors import HookFailed
from headrace.model import called
from headrace.model.envelope import Call, Closed, Opened, Reply
from headrace.model.names import did_you_mean
from headrace.model.waiting import came_by_itself
from headrace.replica.exchange import ClientGone, Exchange
from headrace.replica.worked import Pool, is_quick, is_stream, items_of, result_of

OURS = frozenset({"setup", "teardown", "reconfigure"})
"""Hooks of an object's life: they are not called by others."""


class NoMethod(HookFailed, AttributeError):
    """The callee has no method of that name for others to call."""


class Methods:
    """What others may call of one object."""

    def __init__(self, thing: Any, name: str, pool: Pool) -> None:
        self.thing, self._name, self._pool = thing, name, pool

    async def serve(self, exchange: Exchange, call: Call) -> Reply:
        """Answer one call; what it raises goes back to the caller."""
        hook = f"{self._name}.{call.method or '__call__'}"
        try:
            function = self._find(call.method)
            args, kwargs = called.arguments(exchange.envelope)
            work = partial(function, *args, **kwargs)
            output = await result_of(work, self._pool, on_loop=is_quick(function))
            if is_stream(output):
                return await self._stream(exchange, output)
            return called.value(output)
        except ClientGone:
            return Closed()
        except NoMethod as error:  # the caller's mistake: it hears of it, the log does not
            return called.refusal(error)
        except Exception as error:  # noqa: BLE001 - the caller waits, and hears of it
            return called.fault(error, hook, [exchange.context])
        except asyncio.CancelledError as error:
            if not came_by_itself(error):
                raise
            return called.fault(error, hook, [exchange.context])

    def _find(self, method: str) -> Callable[..., Any]:
        """Return what is called. Raises NoMethod."""
        found: Callable[..., Any] | None = (
            getattr(self.thing, method, None) if method else self.thing
        )
        if method.startswith("_") or method in OURS or found is None or not callable(found):
            known = [name for name in dir(self.thing) if not name.startswith("_")]
            what = f"method {method}" if method else "__call__"
            hint = did_you_mean(method, known)
            raise NoMethod(f"{self._name} has no {what} for others to call{hint}")
        return found

    async def _stream(self, exchange: Exchange, output: Any) -> Reply:
        await exchange.put(Opened(200, ""))
        async with aclosing(items_of(output, self._pool)) as items:
            async for item in items:
                await exchange.put(called.item(item))
        return Closed()
