"""The way from code to the engine, in the layouts that have an event loop; see `model.handle.Line`.

A request is one message to the worker, its answer one or more back. Both leave with whatever else
the loop's turn has to say. A response given as an argument is waited for before its request leaves.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from functools import partial
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from headrace.errors import Cancelled
from headrace.memory.slots import Slot
from headrace.model.context import Context, current, whose
from headrace.model.envelope import Call, Envelope
from headrace.model.handle import CallOptions, NoLine, WrongUse
from headrace.model.pickles import Packed, packed
from headrace.model.submit import Wanted
from headrace.replica.frames import Answered, AnswerParts, Ask, HangUp, News, Submit, Took
from headrace.replica.pending import Pending


class Request(NamedTuple):
    """A call that is to be sent."""

    target: str
    method: str
    options: CallOptions
    place: int
    label: str


class Line:
    """What all lines have in common: numbers, who waits for which, and arguments to come."""

    def __init__(self, lend: Callable[[Packed], bytes | Slot], *, batched: bool = False) -> None:
        """`lend` writes a packed value where it can leave from, now."""
        self._lend, self._batched = lend, batched
        self._count = itertools.count(1)
        self._open: dict[int, Pending] = {}

    def ask(
        self,
        target: str,
        method: str,
        options: CallOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Pending:
        """See `model.handle.Line`. Raises what pickling the arguments raises, as a TypeError."""
        serial, place = whose()
        what = f"{target}.{method}" if method else target
        pending = Pending(self, next(self._count), what, serial)
        pending.is_sole = place < 0 or not self._batched
        request = Request(target, method, options, place, _label())
        awaited = [each for each in (*args, *kwargs.values()) if isinstance(each, Pending)]
        if awaited:
            _Deferred(partial(self._send, pending, request), pending, args, kwargs).follow(awaited)
        else:
            self._send(pending, request, args, kwargs)
        return pending

    def _send(
        self, pending: Pending, request: Request, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            pieces = packed((args, kwargs))
        except Exception as error:
            raise TypeError(f"an argument of {pending.what} cannot be pickled: {error}") from error
        timeout_s = request.options.timeout_s
        deadline = inf if timeout_s is None else monotonic() + timeout_s
        call = Call(request.method)
        try:
            with self._as_a_whole():
                envelope = Envelope(
                    request.label,
                    deadline,
                    1,
                    None,
                    self._lend(pieces),
                    call=call,
                    model_id=request.options.model_id,
                )
                self._open[pending.number] = pending
                self._say(_ask(pending, request, envelope))
        except BaseException:  # a stop that was held back meets a request that has left
            pending.cancel()
            raise

    def submit(self, wanted: Wanted) -> Pending:
        """See `model.handle.Line`. The job belongs to no request: it outlives them all."""
        pending = Pending(self, next(self._count), wanted.endpoint, 0)
        with self._as_a_whole():
            self._open[pending.number] = pending
            self._say(Submit(pending.number, wanted))
        return pending

    def hear(self, word: Answered | AnswerParts) -> None:
        """Take what the worker says of a call."""
        if isinstance(word, AnswerParts):
            pending = self._open.get(word.number)
            if pending is not None:
                pending.heard(word.parts)
            return
        pending = self._open.pop(word.number, None)
        if pending is not None:
            pending.settle(word.reply)

    def hang_up(self, pending: Pending) -> None:
        """See `pending.Way`."""
        if self._open.pop(pending.number, None) is not None:
            self._say_if_there(HangUp(pending.number))

    def took(self, pending: Pending, parts: int) -> None:
        """See `pending.Way`."""
        self._say_if_there(Took(pending.number, parts))

    def help(self, ready: Callable[[], bool]) -> None:
        """See `pending.Way`."""

    def orphaned(self, pending: Pending) -> None:
        """See `pending.Way`."""

    def wait(self, pending: Pending, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """See `pending.Way`."""
        raise NotImplementedError

    def _say(self, news: News) -> None:
        """Send a message. Raises NoLine if there is nobody to hear it."""
        raise NotImplementedError

    def tell(self, news: News) -> None:
        """Tell the worker something of this replica, in any thread; not if it is gone."""
        self._say_if_there(news)

    def _say_if_there(self, news: News) -> None:
        with contextlib.suppress(NoLine), self._as_a_whole():
            self._say(news)

    def _as_a_whole(self) -> contextlib.AbstractContextManager[None]:
        """Within the block nothing is interrupted."""
        return _FREELY


class LoopLine(Line):
    """From code on an event loop, and from threads beside it."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        tell: Callable[[News], object],
        lend: Callable[[Packed], bytes | Slot],
        *,
        batched: bool = False,
    ) -> None:
        """Make it in the loop's thread; `tell` is called there only."""
        super().__init__(lend, batched=batched)
        self._loop, self._tell = loop, tell
        self._thread = threading.get_ident()

    def wait(self, pending: Pending, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """See `pending.Way`."""
        if threading.get_ident() == self._thread:
            raise WrongUse(
                f"`.result()` of {pending.what} would block the event loop that it needs: "
                "`await` it, or ask from a thread (`await asyncio.to_thread(...)`)"
            )
        return wait_in_thread(pending, ready, timeout_s)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call something on the loop after so many seconds; in any thread."""
        with contextlib.suppress(RuntimeError):  # the server has stopped
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, act)

    def _say(self, news: News) -> None:
        if threading.get_ident() == self._thread:
            self._tell(news)
            return
        try:
            self._loop.call_soon_threadsafe(self._tell, news)
        except RuntimeError:
            raise NoLine("the server has stopped") from None


def wait_in_thread(pending: Pending, ready: Callable[[], bool], timeout_s: float | None) -> bool:
    """Block a thread until another one brings what makes it ready; False after the time-out."""
    until = None if timeout_s is None else monotonic() + timeout_s
    while not ready():
        left_s = -1.0 if until is None else until - monotonic()
        if until is not None and left_s <= 0:
            return False
        bell = threading.Lock()
        bell.acquire()
        pending.when_news(bell.release)
        if not ready():
            bell.acquire(timeout=left_s)
    return True


class _Deferred:
    """A request whose arguments are to come."""

    def __init__(
        self,
        send: Callable[[tuple[Any, ...], dict[str, Any]], None],
        pending: Pending,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._send, self._pending = send, pending
        self._args, self._kwargs = args, kwargs
        self._left: list[Pending] = []
        self._once = threading.Lock()

    def follow(self, awaited: list[Pending]) -> None:
        """Wait for these, one after the other; they are under way side by side all the same."""
        self._left = awaited
        self._look()

    def _look(self) -> None:
        while self._left:
            first = self._left[0]
            if not first.tells():
                first.when_news(self._look)
                if not first.tells():
                    return
            with self._once:
                if not self._left or self._left[0] is not first:
                    return  # another thread has gone on
                self._left.pop(0)
                is_last = not self._left
            if is_last:
                self._go()

    def _go(self) -> None:
        if self._pending.is_cancelled:
            return
        try:
            args = tuple(map(_there, self._args))
            self._send(args, {word: _there(each) for word, each in self._kwargs.items()})
        except (Exception, Cancelled) as error:  # noqa: BLE001 - whoever waits hears of it
            self._pending.fail(error)


def _ask(pending: Pending, to: Request, envelope: Envelope) -> Ask:
    detached = to.options.detach
    return Ask(pending.number, to.target, envelope, pending.serial, to.place, detached)


def _there(argument: Any) -> Any:
    return argument.outcome() if isinstance(argument, Pending) else argument


def _label() -> str:
    context = current.get(None)
    return context.request_id if isinstance(context, Context) else ""


_FREELY = contextlib.nullcontext()
