"""What one call through a handle will answer; see `model.handle.Response`.

It may be waited for in any thread and on any event loop, and by several at once. Its line files
what comes, in whatever thread that is, and wakes whoever waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from headrace.core.credit import PORTION
from headrace.errors import CalleeFailed, Cancelled
from headrace.memory.slots import Slot
from headrace.model.called import error_of, result_of
from headrace.model.envelope import Answer, Closed, Fault, Opened, Part, Reply
from headrace.model.handle import WrongUse

GIVEN_UP = Fault(499, "client_closed_request", "the call was cancelled")


class Way(Protocol):
    """What a response needs of its line."""

    def wait(self, pending: Pending, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """Block until it is ready; False after the time-out. Raises WrongUse, Cancelled."""

    def help(self, ready: Callable[[], bool]) -> None:
        """See to it that what comes is read while an event loop waits."""

    def hang_up(self, pending: Pending) -> None:
        """Tell that nobody waits any more."""

    def took(self, pending: Pending, parts: int) -> None:
        """Tell that so many parts were read."""

    def orphaned(self, pending: Pending) -> None:
        """The engine has ended it, for whom it was made for is gone."""


class Pending:
    """One call on its way."""

    __slots__ = (
        "_error",
        "_is_read",
        "_is_stream",
        "_line",
        "_parts",
        "_reply",
        "_taken",
        "_value",
        "_waiting",
        "_wakers",
        "is_cancelled",
        "is_sole",
        "number",
        "serial",
        "what",
    )

    def __init__(self, line: Way, number: int, what: str, serial: int) -> None:
        self.number, self.what, self.serial = number, what, serial
        self.is_cancelled = False
        self.is_sole = True
        """Whether all of the call that it was made in has ended with it."""
        self._line = line
        self._reply: Reply | None = None
        self._error: BaseException | None = None
        self._value: Any = _NOTHING
        self._is_stream = self._is_read = False
        self._parts: deque[bytes] = deque()
        self._taken = self._waiting = 0
        self._wakers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        state = "ended" if self.has_ended else "cancelled" if self.is_cancelled else "under way"
        return f"<Response of {self.what}, {state}>"

    # --- from the line ---------------------------------------------------------------------

    def heard(self, parts: Sequence[Part]) -> None:
        """Take parts of a streamed answer."""
        for part in parts:
            if isinstance(part, bytes):
                self._parts.append(part)
            else:
                self._is_stream = self._is_stream or isinstance(part, Opened)
                self._taken += 1
        self._wake()

    def settle(self, reply: Reply) -> None:
        """Take the end."""
        if self._reply is None:
            self._reply = reply
            self._wake()

    def fail(self, error: BaseException) -> None:
        """End in this, without having been sent."""
        self._error = error
        self.settle(GIVEN_UP)

    def _wake(self) -> None:
        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            waker()

    def when_news(self, waker: Callable[[], None]) -> None:
        """Call this once, with the next news, in whatever thread they come; then look again."""
        self._wakers.append(waker)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self._reply is not None

    def tells(self) -> bool:
        """Whether `outcome` has something to say."""
        return self._reply is not None or self._is_stream

    # --- for callers -----------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.tells():
            yield from self._news(self.tells).__await__()
        try:
            return self.outcome()
        except Cancelled as error:
            raise asyncio.CancelledError(str(error)) from None

    def __aiter__(self) -> Items:
        return Items(self)

    def __iter__(self) -> Items:
        return Items(self)

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait for the answer in code that cannot await. Raises TimeoutError."""
        if not self.tells() and not self._line.wait(self, self.tells, timeout_s):
            raise TimeoutError(f"{self.what} has not answered within {timeout_s} s")
        return self.outcome()

    def cancel(self) -> None:
        """Stop the work: nobody waits for it any more."""
        if not self.has_ended:
            self.is_cancelled = True
            self._line.hang_up(self)
            self.settle(GIVEN_UP)

    def outcome(self) -> Any:
        """Return the value, or raise what the callee raised; the same each time."""
        if self._error is None and self._value is _NOTHING:
            self._open()
        if self._error is not None:
            raise self._error
        return self._value

    def _open(self) -> None:
        reply = self._reply
        if self._is_stream or isinstance(reply, Closed):
            self.cancel()
            self._error = WrongUse(
                f"{self.what} streams its answer: `async for item in handle(...)`, or `for` in "
                "code that cannot await"
            )
        elif isinstance(reply, bytes | Slot):
            try:
                self._value = result_of(reply)
            except Exception as error:  # noqa: BLE001 - the caller hears of it
                words = f"its answer cannot be unpickled here: {error}"
                self._error = CalleeFailed(type(error).__qualname__, words)
        else:
            self._error = self._error_of(reply)
        self._reply = _OPENED

    def _error_of(self, reply: Reply | None) -> BaseException:
        if not isinstance(reply, Fault):
            status = f" of status {reply.status}" if isinstance(reply, Answer) else ""
            return WrongUse(f"{self.what} gave an HTTP response{status}, which no handle can bring")
        error = error_of(reply)
        if isinstance(error, Cancelled) and not self.is_cancelled:
            self._line.orphaned(self)
            if not self.is_sole:  # others of its batch go on
                return CalleeFailed("Cancelled", "nobody waits for this request any more")
        return error

    # --- waiting on a loop -----------------------------------------------------------------

    async def _news(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready; the last wait that is cancelled is the end of the call."""
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            while not ready():
                self._line.help(ready)
                future = loop.create_future()
                self.when_news(lambda future=future: _ring(loop, future))  # type: ignore[misc]
                if not ready():
                    await future
        except asyncio.CancelledError:
            if self._waiting == 1:
                self.cancel()
            raise
        finally:
            self._waiting -= 1

    # --- items -----------------------------------------------------------------------------

    def begin_reading(self) -> None:
        """Note that somebody iterates. Raises WrongUse if somebody did before."""
        if self._value is not _NOTHING:
            raise WrongUse(f"{self.what} has answered with one value, which has been taken")
        if self._is_read:
            raise WrongUse(f"the answer of {self.what} can be iterated over once")
        self._is_read = True

    def has_item(self) -> bool:
        """Whether `next_item` has something to say."""
        return bool(self._parts) or self._reply is not None

    def next_item(self) -> Any:
        """Return the next item, or END; raise what the callee raised."""
        if self._parts:
            part = self._parts.popleft()
            self._taken += 1
            if self._taken >= PORTION and not self.has_ended:
                taken, self._taken = self._taken, 0
                self._line.took(self, taken)
            return result_of(part)
        if isinstance(self._reply, Closed):
            return END
        if isinstance(self._reply, bytes | Slot):
            raise WrongUse(f"{self.what} answers with one value: `await handle(...)`")
        if self._error is None:
            self._error = self._error_of(self._reply)
        raise self._error

    async def item_news(self) -> None:
        """Wait until there is an item, or the end."""
        await self._news(self.has_item)

    def wait_for_item(self) -> None:
        """Wait until there is an item, or the end, in code that cannot await."""
        self._line.wait(self, self.has_item, None)


class Items:
    """The items of one streamed answer. Whoever drops it before its end stops the callee."""

    __slots__ = ("_is_over", "_pending")

    def __init__(self, pending: Pending) -> None:
        self._is_over = True
        pending.begin_reading()
        self._pending, self._is_over = pending, False

    def __aiter__(self) -> Items:
        return self

    def __iter__(self) -> Items:
        return self

    async def __anext__(self) -> Any:
        if not self._is_over and not self._pending.has_item():
            await self._pending.item_news()
        try:
            item = self._next()
        except Cancelled as error:
            raise asyncio.CancelledError(str(error)) from None
        if item is END:
            raise StopAsyncIteration
        return item

    def __next__(self) -> Any:
        if not self._is_over and not self._pending.has_item():
            self._pending.wait_for_item()
        item = self._next()
        if item is END:
            raise StopIteration
        return item

    def _next(self) -> Any:
        if self._is_over:
            return END
        try:
            item = self._pending.next_item()
        except BaseException:
            self._is_over = True
            raise
        self._is_over = item is END
        return item

    async def aclose(self) -> None:
        """Stop the callee."""
        self.close()

    def close(self) -> None:
        """Stop the callee."""
        if not self._is_over:
            self._is_over = True
            self._pending.cancel()

    def __del__(self) -> None:
        self.close()


_NOTHING: Any = object()
END: Any = object()
"""In place of an item, where there is none any more."""
_OPENED = Closed()


def _ring(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    def ring() -> None:
        if not future.done():
            future.set_result(None)

    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if is_here:
        ring()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(ring)
