"""A replica answers for its health and takes a new `user_config`, when its worker says so.

A leaf does so between two calls, on the thread that runs them; a replica with an event loop there,
beside its calls, and watches the time itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from headrace.model.care import configure
from headrace.replica.frames import Check, Health, News, Reconfigure, Reconfigured
from headrace.replica.uncaught import EXITS
from headrace.replica.words import Words

log = logging.getLogger("headrace.replica")
Tell = Callable[[News], None]


class Asked(Protocol):
    """What knows how to ask: a plan."""

    def health(self, thing: Any) -> bool | Awaitable[bool]:
        """See `model.plan.Plan`."""


class CareBetweenCalls:
    """Hears the worker where there is no event loop; whoever passes its words on waits."""

    def __init__(self, plan: Asked, thing: Any, words: Words, tell: Tell) -> None:
        """Answer by `tell`."""
        self._plan, self._thing, self._tell = plan, thing, tell
        words.give(Check, self._check)
        words.give(Reconfigure, self._reconfigure)

    def _check(self, _: Check) -> None:
        try:
            verdict = self._plan.health(self._thing)
            is_well = _run(verdict) if isinstance(verdict, Awaitable) else verdict
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is no good sign
            self._tell(_ill(error))
        else:
            self._tell(_health(is_well=is_well))

    def _reconfigure(self, word: Reconfigure) -> None:
        try:
            work = configure(self._thing, msgspec.json.decode(word.config))
            if work is not None:
                _run(work)
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - whoever changed it waits, and hears of it
            self._tell(_refused(error))
        else:
            self._tell(Reconfigured())


class CareOnLoop:
    """Hears the worker on an event loop."""

    def __init__(
        self, plan: Asked, thing: Any, words: Words, tell: Tell, timeout_s: float | None
    ) -> None:
        """Answer by `tell`; a health that takes longer than `timeout_s` is none."""
        self._plan, self._thing, self._tell, self._timeout_s = plan, thing, tell, timeout_s
        self._one_by_one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        words.give(Check, self._check)
        words.give(Reconfigure, self._reconfigure)

    async def close(self) -> None:
        """End what is under way; nobody waits for it."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _check(self, _: Check) -> None:
        self._begin(self._answer_check())

    def _reconfigure(self, word: Reconfigure) -> None:
        self._begin(self._answer_reconfigure(word))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_check(self) -> None:
        timeout = asyncio.timeout(self._timeout_s)
        try:
            async with timeout:
                verdict = self._plan.health(self._thing)
                is_well = await verdict if isinstance(verdict, Awaitable) else verdict
        except (*EXITS, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is no good sign
            self._tell(self._too_late() if timeout.expired() else _ill(error))
        else:
            self._tell(_health(is_well=is_well))

    def _too_late(self) -> Health:
        words = f"health() has not returned within {self._timeout_s} s"
        return Health(is_well=False, words=words)

    async def _answer_reconfigure(self, word: Reconfigure) -> None:
        async with self._one_by_one:  # the last one said is the one that holds
            try:
                work = configure(self._thing, msgspec.json.decode(word.config))
                if work is not None:
                    await work
            except (*EXITS, asyncio.CancelledError):
                raise
            except BaseException as error:  # noqa: BLE001 - whoever changed it waits, and hears of it
                self._tell(_refused(error))
            else:
                self._tell(Reconfigured())


def _run(work: Awaitable[Any]) -> Any:
    async def done() -> Any:
        return await work

    return asyncio.run(done())


def _health(*, is_well: bool) -> Health:
    return Health(is_well=bool(is_well), words="" if is_well else "health() returned False")


def _ill(error: BaseException) -> Health:
    log.error("health() raised", exc_info=error)
    return Health(is_well=False, words=f"health() raised {type(error).__name__}")


def _refused(error: BaseException) -> Reconfigured:
    log.error("reconfigure() raised; the user_config before it holds", exc_info=error)
    return Reconfigured(f"{type(error).__name__}: {error}")
