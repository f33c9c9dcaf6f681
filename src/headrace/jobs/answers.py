"""An answer from a thread of the store: awaited on the event loop that asked, or waited for.

Answers of one group come to their event loop together, in one wake-up.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Generator, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """See `interfaces.Answer`."""

    __slots__ = ("_future", "loop")

    def __init__(self) -> None:
        """Belong to the event loop of this thread, or to none."""
        self.loop = asyncio._get_running_loop()  # noqa: SLF001 - get_running_loop raises where there is none, which costs a thread more than its question
        self._future: asyncio.Future[T] | concurrent.futures.Future[T] = (
            self.loop.create_future() if self.loop else concurrent.futures.Future()
        )

    def __await__(self) -> Generator[Any, None, T]:
        """Wait on the event loop that asked."""
        if isinstance(self._future, concurrent.futures.Future):
            return asyncio.wrap_future(self._future).__await__()
        return self._future.__await__()

    def result(self, timeout_s: float | None = None) -> T:
        """Wait in a thread. Raises TimeoutError, and RuntimeError on an event loop."""
        if not isinstance(self._future, concurrent.futures.Future):
            raise RuntimeError("this was asked on an event loop: await it")  # noqa: TRY004 - it is called from the wrong place, with nothing of a wrong type
        return self._future.result(timeout_s)

    def told(self, value: T) -> None:
        """Give the answer; on its loop's thread, if it has one."""
        if not self._future.done():  # else who asked has gone
            self._future.set_result(value)

    def refused(self, error: BaseException) -> None:
        """Raise this where the answer is waited for."""
        if not self._future.done():
            self._future.set_exception(error)


Settled = tuple[Later[Any], Any, BaseException | None]


def settled(answers: Iterable[Settled]) -> None:
    """Give each its value or its error, whatever thread this is."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[Settled]] = {}
    for each in answers:
        by_loop.setdefault(each[0].loop, []).append(each)
    for loop, some in by_loop.items():
        if loop is None:
            _give_all(some)
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there
                loop.call_soon_threadsafe(_give_all, some)


def _give_all(answers: Iterable[Settled]) -> None:
    for answer, value, error in answers:
        if error is None:
            answer.told(value)
        else:
            answer.refused(error)
