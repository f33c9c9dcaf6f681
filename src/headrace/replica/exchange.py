"""One request in a replica that runs applications: parts go out, the client's messages come in.

Both ways are bounded. A part leaves while its reader has credit, see core/credit.py; a message
comes only when the application wants to read, some of them ahead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from headrace.core.credit import WINDOW
from headrace.model.context import Context, abandon, context_of
from headrace.model.envelope import Envelope, Message, Part
from headrace.replica.frames import Want

AHEAD = 8
"""So many messages may be on their way to an application that has not read them yet."""
LEAST_AHEAD = 4
DISCONNECTS = frozenset({"http.disconnect", "websocket.disconnect"})


class ClientGone(OSError):
    """Nobody is there to read; raised where an application sends on."""


class Exchange:
    """What one request's code and its client have to do with each other."""

    def __init__(
        self,
        envelope: Envelope,
        place: tuple[int, int],
        leave: Callable[[Part], None],
        tell: Callable[[Want], None],
    ) -> None:
        """`place` is the call's serial, and the request's place in it."""
        self.envelope, self.place = envelope, place
        self.context: Context = context_of(envelope, place[1])
        self.is_gone = False
        """Whether the client has left, or nobody waits any more."""
        self._leave, self._tell = leave, tell
        self._credit = WINDOW
        self._room: asyncio.Future[None] | None = None
        self._inbox: deque[Message] = deque()
        self._coming = 0
        self._arrival: asyncio.Future[None] | None = None
        self._has_all = False

    def __repr__(self) -> str:
        state = "gone" if self.is_gone else "open"
        name, held = self.label, len(self._inbox)
        return f"<Exchange {name} {state}, {held} unread, credit {self._credit}>"

    @property
    def label(self) -> str:
        """The request's id, for people."""
        return self.envelope.label

    # --- out -----------------------------------------------------------------------------

    async def put(self, part: Part) -> None:
        """Send a part as soon as its reader has room. Raises ClientGone."""
        while self._credit <= 0 and not self.is_gone:
            self._room = self._room or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if self.is_gone:
            raise ClientGone("the client left")
        self.put_now(part)

    def put_now(self, part: Part) -> None:
        """Send a part, whether there is room for it or not."""
        self._credit -= 1
        self._leave(part)

    def grant(self, parts: int) -> None:
        """Let so many more parts leave."""
        self._credit += parts
        if self._credit > 0:
            _wake(self._room)
            self._room = None

    # --- in ------------------------------------------------------------------------------

    async def next(self) -> Message:
        """Return the client's next message; wait for it."""
        while not self._inbox:
            self.want()
            self._arrival = self._arrival or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._arrival)
        message = self._inbox.popleft()
        if self._coming <= LEAST_AHEAD:
            self.want()
        return message

    def want(self) -> None:
        """Let more messages come."""
        missing = AHEAD - self._coming - len(self._inbox)
        if missing > 0 and not self._has_all and not self.is_gone:
            self._coming += missing
            self._tell(Want(*self.place, missing))

    def feed(self, messages: Iterable[Message]) -> None:
        """Take what came of the client."""
        for message in messages:
            self._coming -= 1
            self._inbox.append(message)
            if message.name in DISCONNECTS:
                self.leave()
            elif message.name == "http.request" and not message.more:
                self._has_all = True
        self._wake_reader()

    def hear(self, message: Message) -> None:
        """Let the code read this after what came before."""
        self._inbox.append(message)
        self._has_all = True
        self._wake_reader()

    def leave(self) -> None:
        """Nobody waits for what is sent from now on."""
        self.is_gone = True
        _wake(self._room)
        self._room = None

    def give_up(self, last: Message) -> None:
        """Nobody waits for any of it any more; `last` is what the code can still hear."""
        abandon(self.context)
        if not self.is_gone:
            self.leave()
            self.hear(last)

    def _wake_reader(self) -> None:
        _wake(self._arrival)
        self._arrival = None


def _wake(sleeper: asyncio.Future[None] | None) -> None:
    if sleeper is not None and not sleeper.done():
        sleeper.set_result(None)
