"""A client's messages on their way to an application in a replica: as many as it wants to read.

Nothing of a body is read before it is wanted, so a client that sends faster than its application
reads is held up by its own connection. What a WebSocket's client says next is read ahead by one:
else nobody would hear that it has left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from headrace.errors import RequestTimeout
from headrace.http.body import SLOW_AFTER_S, Pace, too_large
from headrace.http.messages import Message as Event
from headrace.http.messages import Receive
from headrace.memory.arena import Region
from headrace.model.envelope import Message
from headrace.runtime.asked import Asked
from headrace.runtime.feeding import Eater, Feeding

LEFT = "http.disconnect"


class Appetite:
    """What one application wants of its client's messages."""

    def __init__(self, feeding: Feeding, asked: Asked, region: Region | None) -> None:
        """Hear of it until `close`; what is large goes by way of `region`."""
        self._feeding, self._asked, self._region = feeding, asked, region
        self.eater: Eater | None = None
        """Where the application runs, once it has asked for anything."""
        self._wanted = 0
        self._news = asyncio.Event()
        feeding.follow(asked, self._want)

    def _want(self, eater: Eater, messages: int) -> None:
        if eater != self.eater:  # it begins anew: another replica has it
            self.eater, self._wanted = eater, 0
        self._wanted += messages
        self._news.set()

    async def room(self) -> None:
        """Return when one more message is wanted."""
        while self._wanted <= 0:
            self._news.clear()
            await self._news.wait()

    def feed(self, message: Message, data: bytes | None = None) -> None:
        """Pass a message on, with what it brings."""
        self._wanted -= 1
        if self.eater is None:
            return
        if data is not None:
            place = data if self._region is None else self._region.put(data)
            message = Message(message.name, data=place, more=message.more)
        self._feeding.feed(self.eater, [message])

    def close(self) -> None:
        """Hear no more of it."""
        self._feeding.forget(self._asked)


class Upload:
    """A body that an application reads piece by piece."""

    def __init__(self, receive: Receive, pace: Pace) -> None:
        """Take it at this pace, up to its most bytes."""
        self._receive, self._pace = receive, pace
        self._size, self._waited_s = 0, 0.0

    async def carry(self, appetite: Appetite, left: Callable[[], None]) -> None:
        """Pass all of it on; call `left` if the client leaves. Raises TooLarge, RequestTimeout."""
        more = True
        while more:
            await appetite.room()
            event = await self.next()
            if event["type"] == LEFT:
                left()
                return
            more = bool(event.get("more_body"))
            data = event.get("body", b"")
            self._count(len(data), more=more)
            appetite.feed(Message("http.request", more=more), data)

    async def next(self) -> Event:
        """Return the next event of the client, within its time. Raises RequestTimeout."""
        began, idle_s = time.monotonic(), self._pace.idle_s
        try:
            async with asyncio.timeout(idle_s):
                return await self._receive()
        except TimeoutError:
            raise RequestTimeout(f"nothing came of the body for {idle_s:g} s") from None
        finally:
            self._waited_s += time.monotonic() - began

    def _count(self, size: int, *, more: bool) -> None:
        """Take note of a piece; only the time that we waited for it is the client's."""
        self._size += size
        most, least = self._pace.most_bytes, self._pace.least_bytes_per_s
        if most is not None and self._size > most:
            raise too_large(most)
        if more and self._waited_s > SLOW_AFTER_S and self._size < self._waited_s * least:
            raise RequestTimeout(f"the body came at less than {least} bytes a second")
