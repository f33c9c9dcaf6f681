"""What happens to a job, as server-sent events: all that did since the one last heard, then live.

Each event has its number for an id, so that a reader who was cut off goes on where it was: browsers
do so by themselves, with `Last-Event-ID`. The stream ends behind the last event of a job that is
over; who comes back then hears 204, upon which a browser asks no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence

from headrace.core.jobs import JobId, Tenant
from headrace.errors import BadRequest, NoSuchJob
from headrace.http.hangup import followed
from headrace.http.jobs_shown import is_live
from headrace.http.jobs_watch import Watch
from headrace.http.messages import Headers, Receive, Response, Scope, Send
from headrace.interfaces import JobEvent, JobStore, Seen

HEARTBEAT_S = 15.0
AGAIN_MS = 1000
AT_ONCE = 200
NO_CONTENT = 204
HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
LAST = b"last-event-id"
_number = re.compile(r"[0-9]{1,18}").fullmatch
_line_ends = re.compile(rb"\r\n|\r|\n")


def heard_last(headers: dict[bytes, bytes], query: dict[str, str]) -> int:
    """Return the number of the event that a reader heard last: by header, else by `?after=`.

    Raises BadRequest.
    """
    given = headers.get(LAST, b"").decode("latin-1") or query.get("after", "")
    if not given:
        return 0
    if not _number(given):
        raise BadRequest("Last-Event-ID is not the number of an event of ours")
    return int(given)


def framed(event: JobEvent) -> bytes:
    """Write an event as it is sent, line by line; what is no UTF-8 is marked as such."""
    data = event.data.decode(errors="replace").encode()
    lines = b"".join(b"data: %s\n" % line for line in _line_ends.split(data))
    kind = _line_ends.sub(b" ", event.kind.encode())
    return b"id: %d\nevent: %s\n%s\n" % (event.number, kind, lines)


class Telling:
    """One reader of the events of one job."""

    def __init__(self, store: JobStore, watch: Watch, tenant: Tenant, job: JobId) -> None:
        """Read as this tenant."""
        self._store, self._watch, self._tenant, self._job = store, watch, tenant, job
        self._has_left = False

    async def carry(
        self, scope: Scope, receive: Receive, send: Send, label: bytes, after: int
    ) -> Response | None:
        """Send what happened after the event of this number, to the last.

        Return the response in its place where there is nothing more to come. Raises NoSuchJob:
        then nothing was sent.
        """
        with self._watch.of(self._job) as news:
            seen = await self._look()
            if not is_live(seen.job) and after >= seen.last_event:
                return Response(NO_CONTENT, b"")
            headers = [*HEADERS, (b"x-request-id", label)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send_part(send, b"retry: %d\n\n" % AGAIN_MS)

            def left() -> None:
                self._has_left = True
                news.set()

            async with followed(scope, receive, left):
                with contextlib.suppress(NoSuchJob):  # it was deleted while it was read
                    await self._tell(news, send, after)
        if not self._has_left:
            await send({"type": "http.response.body", "body": b""})
        return None

    async def _tell(self, news: asyncio.Event, send: Send, after: int) -> None:
        while not self._has_left:
            news.clear()
            seen = await self._look()
            after = await self._tell_all(send, after)
            if (not is_live(seen.job) and after >= seen.last_event) or self._watch.is_closing:
                return
            await self._rest(news, send)

    async def _tell_all(self, send: Send, after: int) -> int:
        """Send all that happened by now; return the number of the last event sent."""
        told: Sequence[JobEvent] = await self._some(after)
        while told and not self._has_left:
            await _send_part(send, b"".join(map(framed, told)))
            after = told[-1].number
            told = await self._some(after) if len(told) == AT_ONCE else ()
        return after

    async def _rest(self, news: asyncio.Event, send: Send) -> None:
        """Wait for news, with a sign of life now and then: so proxies keep the connection."""
        while not news.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await news.wait()
            except TimeoutError:
                await _send_part(send, b":\n\n")

    async def _some(self, after: int) -> Sequence[JobEvent]:
        return await self._store.events(self._tenant, self._job, after, AT_ONCE)

    async def _look(self) -> Seen:
        return await self._store.show(self._tenant, self._job)


async def _send_part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
