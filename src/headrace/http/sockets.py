"""A WebSocket between its client and an application in a replica.

    how it ends                              what the client sees
    the application closes it                its code and reason
    it returns                               1000
    it raises                                1011
    its replica dies, or is being replaced   1012: come back
    its time is over                         1008
    it is refused before it is accepted      a problem document; 403 where the server has no word

A client that leaves is told of to the application, which is cancelled only if it goes on for longer
than `cancel_grace_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from headrace.errors import Draining, Expired, HeadraceError, ReplicaLost
from headrace.http.guard import LABEL
from headrace.http.inflow import Appetite
from headrace.http.messages import Headers, Receive, Scope, Send
from headrace.http.messages import Message as Event
from headrace.http.problems import encoded
from headrace.http.responses import CLIENT_LEFT, SERVER_ERROR, response_of
from headrace.memory.slots import view_of
from headrace.model.envelope import Fault, Message, Opened, Part
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.driver import Driver

SWITCHED = 101
NORMAL, NO_CODE, BROKEN_RULE, FAILED, COME_BACK = 1000, 1005, 1008, 1011, 1012
DENIAL = "websocket.http.response"
LEFT = "websocket.disconnect"


class Socket:
    """One conversation."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, label: bytes) -> None:
        self._scope, self._receive, self._send, self._label = scope, receive, send, label
        self._parts: list[Part] = []
        self._ending: Ending = None
        self._is_over = False
        self._is_accepted = self._is_closed = self._is_gone = self._denies = False
        self._news = asyncio.Event()
        self._grace: asyncio.TimerHandle | None = None

    def heard(self, part: Part) -> None:
        """Take the next part of what the application says."""
        self._parts.append(part)
        self._news.set()

    def ended(self, ending: Ending) -> None:
        """Take the ending."""
        self._ending, self._is_over = ending, True
        self._news.set()

    async def carry(self, driver: Driver, asked: Asked, appetite: Appetite, grace_s: float) -> int:
        """Converse to the end; return the status that it counts as."""
        left = partial(self._left, driver, asked, appetite, grace_s)
        reading = asyncio.create_task(self._read(appetite, left))
        try:
            while self._parts or not self._is_over:
                await self._news.wait()
                self._news.clear()
                parts, self._parts = self._parts, []
                if parts:
                    await self._pass_on(parts)
                    driver.took(asked, len(parts))
            return await self._end()
        finally:
            if self._grace is not None:
                self._grace.cancel()
            reading.cancel()
            await asyncio.wait([reading])

    async def refuse(self, error: Fault | HeadraceError) -> int:
        """Refuse it before it is accepted."""
        response = response_of(error, self._label)
        if DENIAL not in (self._scope.get("extensions") or {}):
            await self._say({"type": "websocket.close", "code": BROKEN_RULE})
            return response.status
        headers = [*response.headers, (LABEL, self._label)]
        await self._deny(response.status, headers)
        await self._say({"type": f"{DENIAL}.body", "body": bytes(response.body)})
        return response.status

    # --- in --------------------------------------------------------------------------------

    async def _read(self, appetite: Appetite, left: partial[None]) -> None:
        while True:
            event = await self._receive()
            if event["type"] == LEFT:
                left(event)
                return
            await appetite.room()
            text, data = event.get("text"), event.get("bytes")
            appetite.feed(Message("websocket.receive", text=text), data if text is None else None)

    def _left(
        self, driver: Driver, asked: Asked, appetite: Appetite, grace_s: float, event: Event
    ) -> None:
        """Tell the application that its client is gone; cancel it if that moves it to nothing."""
        self._is_gone = True
        code, reason = event.get("code") or NO_CODE, event.get("reason") or ""
        if appetite.eater is None:
            driver.hang_up(asked)  # it has not begun
            return
        appetite.feed(Message(LEFT, text=reason, code=code))
        loop = asyncio.get_running_loop()
        self._grace = loop.call_later(grace_s, driver.hang_up, asked)

    # --- out -------------------------------------------------------------------------------

    async def _pass_on(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if isinstance(part, Message):
                await self._pass_message(part)
            elif isinstance(part, Opened):
                headers = encoded(part.headers)
                if part.content_type:
                    headers.append((b"content-type", part.content_type.encode("latin-1")))
                await self._deny(part.status, headers)
            else:
                await self._say({"type": f"{DENIAL}.body", "body": part, "more_body": True})

    async def _pass_message(self, message: Message) -> None:
        match message.name:
            case "websocket.accept":
                self._is_accepted = True
                headers = [*message.headers, (LABEL, self._label)]
                await self._say(
                    {"type": message.name, "subprotocol": message.text, "headers": headers}
                )
            case "websocket.send" if message.text is not None:
                await self._say({"type": message.name, "text": message.text})
            case "websocket.send":
                data = b"" if message.data is None else bytes(view_of(message.data))
                await self._say({"type": message.name, "bytes": data})
            case _:
                self._is_closed = True
                await self._close(message.code, message.text or "")

    async def _deny(self, status: int, headers: Headers) -> None:
        self._denies = True
        await self._say({"type": f"{DENIAL}.start", "status": status, "headers": headers})

    async def _close(self, code: int, reason: str = "") -> None:
        await self._say({"type": "websocket.close", "code": code, "reason": reason})

    async def _say(self, event: Event) -> None:
        """Send, unless the client is gone: whoever reads hears of that, too."""
        if self._is_gone:
            return
        try:
            await self._send(event)
        except OSError:
            self._is_gone = True

    async def _end(self) -> int:
        ending = self._ending
        if self._denies:
            await self._say({"type": f"{DENIAL}.body", "body": b""})
            return SERVER_ERROR if isinstance(ending, Fault) else 403
        if self._is_closed or self._is_gone or ending is None:
            return SWITCHED if self._is_accepted else CLIENT_LEFT
        if not isinstance(ending, Fault | HeadraceError):
            await self._close(NORMAL)
            return SWITCHED
        if not self._is_accepted:
            return await self.refuse(ending)
        await self._close(_code_of(ending))
        return response_of(ending, self._label).status


def _code_of(ending: Fault | HeadraceError) -> int:
    if isinstance(ending, ReplicaLost | Draining):
        return COME_BACK
    return BROKEN_RULE if isinstance(ending, Expired) else FAILED
