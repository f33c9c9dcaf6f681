"""One caller's place in a batch: what it gave, and where its answer, or its items, go to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from headrace.core.credit import WINDOW
from headrace.errors import HeadraceError
from headrace.model.batch_shape import Values
from headrace.model.context import Context, calls_here

MOST_BEHIND = 256
"""Items that are kept for a reader who is slower than its batch-mates."""


class SlowReader(HeadraceError):
    """The reader of one stream of a batch fell too far behind the others; its stream is ended."""


class Place:
    """What one caller gave. It is wanted until it has its answer, or its caller has left."""

    __slots__ = ("arrived", "calls", "context", "left", "owner", "values")

    def __init__(
        self, owner: object, values: Values, context: Context, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.owner, self.values, self.context = owner, values, context
        self.arrived, self.calls = loop.time(), calls_here()
        self.left: Callable[[], None] = _nobody
        """Is told when the caller has left."""


class Caller(Place):
    """Waits for one answer."""

    __slots__ = ("answer",)

    def __init__(
        self, owner: object, values: Values, context: Context, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(owner, values, context, loop)
        self.answer: asyncio.Future[Any] = loop.create_future()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits."""
        return not self.answer.done()

    def give(self, value: Any) -> None:
        """Answer; an Exception fails this one alone."""
        if isinstance(value, Exception):
            self.fail(value)
        elif not self.answer.done():
            self.answer.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Let the caller have an exception."""
        if self.answer.done():
            return
        if isinstance(error, StopIteration):  # no future takes one: it would end a generator
            error = RuntimeError(f"the batch raised {error!r}")
        self.answer.set_exception(error)

    def cancel(self) -> None:
        """Cancel the caller: the loop is ending."""
        self.answer.cancel()

    async def wait(self) -> Any:
        """Return the answer."""
        try:
            return await self.answer
        finally:
            self.left()


class Reader(Place):
    """Reads items as they come."""

    __slots__ = ("_ended", "_error", "_items", "_loop", "_more", "took")

    def __init__(
        self, owner: object, values: Values, context: Context, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(owner, values, context, loop)
        self._loop = loop
        self._items: deque[Any] = deque()
        self._more: asyncio.Future[None] | None = None
        self._ended = False
        self._error: BaseException | None = None
        self.took: Callable[[], None] = _nobody
        """Is told when an item was read."""

    @property
    def is_wanted(self) -> bool:
        """Whether it is to have more items."""
        return not self._ended

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return len(self._items) < WINDOW

    def give(self, value: Any) -> None:
        """Add an item; an Exception ends this stream alone."""
        if isinstance(value, Exception):
            self.fail(value)
        elif not self._ended:
            self._items.append(value)
            if len(self._items) > MOST_BEHIND:
                self.fail(SlowReader(f"{MOST_BEHIND} items were not read; others went on"))
            self._wake()

    def fail(self, error: BaseException) -> None:
        """End the stream with an exception, behind the items that came before it."""
        if not self._ended:
            self._error = error
            self.end()

    def end(self) -> None:
        """End the stream."""
        self._ended = True
        self._wake()

    def cancel(self) -> None:
        """Cancel the reader: the loop is ending."""
        self.fail(asyncio.CancelledError())

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Any:
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._more = self._loop.create_future()
            await self._more
        self.took()
        return self._items.popleft()

    def leave(self) -> None:
        """Note that nobody reads any more."""
        self._ended = True
        self._items.clear()
        self.took()
        self.left()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)


def _nobody() -> None:
    """Nobody is to be told."""
