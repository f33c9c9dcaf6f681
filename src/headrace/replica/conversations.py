"""Run the requests of applications, and of plain classes and functions, side by side: a task each.

A request that nobody waits for is told so by what it can still receive, and its task is cancelled.
One that swallows its cancellation ends all the same when it returns; what it returns is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from headrace.model.context import current, running
from headrace.model.envelope import Envelope, Message, Part, Reply
from headrace.model.faults import NOBODY_WAITS, fault_of
from headrace.model.waiting import came_by_itself
from headrace.replica.delivery import Reports
from headrace.replica.exchange import Exchange
from headrace.replica.frames import Feed, Want
from headrace.replica.uncaught import EXITS
from headrace.replica.words import Words

Serve = Callable[[Exchange], Awaitable[Reply]]
"""Answers one request; lets no Exception out."""
LEFT_HTTP = Message("http.disconnect")
LEFT_SOCKET = Message("websocket.disconnect", code=1006)


class _Call:
    """The requests of one call, and what came of them so far."""

    __slots__ = ("began", "exchanges", "replies", "tasks")

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.exchanges: list[Exchange] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.replies: dict[int, Reply] = {}


class Conversations:
    """The requests under way in one replica; see `tasks.Tasks`, which has those of models."""

    def __init__(
        self, serve: Serve, reports: Reports, tell: Callable[[Want], None], words: Words
    ) -> None:
        """Report every call that was begun exactly once, after all of its parts."""
        self._serve, self._reports, self._tell = serve, reports, tell
        self._calls: dict[int, _Call] = {}
        self._waiting: asyncio.Future[None] | None = None
        words.give(Feed, self._feed)

    def begin(self, serial: int, envelopes: Sequence[Envelope]) -> None:
        """Start a call."""
        call = self._calls[serial] = _Call()
        running.set(serial)  # contexts and tasks take it over
        for place, envelope in enumerate(envelopes):
            leave = partial(self._leave, serial, place)
            exchange = Exchange(envelope, (serial, place), leave, self._tell)
            task = asyncio.create_task(self._run(exchange))
            call.exchanges.append(exchange)
            call.tasks.append(task)
            task.add_done_callback(partial(self._ended, exchange))

    def give_up_on(self, serial: int, place: int) -> None:
        """Cancel what nobody waits for any more."""
        call = self._calls.get(serial)
        if call is not None and place not in call.replies:
            exchange = call.exchanges[place]
            head = exchange.envelope.head
            is_socket = head is not None and head.kind == "websocket"
            exchange.give_up(LEFT_SOCKET if is_socket else LEFT_HTTP)
            call.tasks[place].cancel()

    def grant(self, serial: int, place: int, parts: int) -> None:
        """Let so many more parts of an answer leave."""
        call = self._calls.get(serial)
        if call is not None:
            call.exchanges[place].grant(parts)

    async def all_ended(self) -> None:
        """Return when no call is under way."""
        while self._calls:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def cancel_all(self) -> None:
        """Cancel every call."""
        for serial, call in list(self._calls.items()):
            for place in range(len(call.exchanges)):
                self.give_up_on(serial, place)

    def _feed(self, feed: Feed) -> None:
        call = self._calls.get(feed.serial)
        if call is not None:
            call.exchanges[feed.place].feed(feed.messages)

    def _leave(self, serial: int, place: int, part: Part) -> None:
        self._reports.parts(serial, [(place, part)])

    async def _run(self, exchange: Exchange) -> None:
        current.set(exchange.context)
        try:
            reply = await self._serve(exchange)
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - its client waits, and hears of it
            if isinstance(error, asyncio.CancelledError) and not came_by_itself(error):
                reply = NOBODY_WAITS
            else:
                reply = fault_of(error, "the handler", [exchange.context])
        self._report(exchange, reply)

    def _ended(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        """See to those that were cancelled before they began."""
        if task.cancelled():
            self._report(exchange, NOBODY_WAITS)
        elif (error := task.exception()) is not None:
            raise error  # it means the process

    def _report(self, exchange: Exchange, reply: Reply) -> None:
        serial, place = exchange.place
        call = self._calls.get(serial)
        if call is None or place in call.replies:
            return
        call.replies[place] = reply
        if len(call.replies) < len(call.exchanges):
            self._reports.ended(serial, place, reply)
            return
        del self._calls[serial]
        replies = [call.replies[place] for place in sorted(call.replies)]
        self._reports.finished(serial, time.perf_counter() - call.began, replies)
        if not self._calls and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
