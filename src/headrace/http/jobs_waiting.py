"""How a request waits for the end of a job: as it said, while its client is there, and we are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headrace.core.jobs import JobId
from headrace.http.hangup import followed
from headrace.http.jobs_shown import is_live
from headrace.http.jobs_watch import Watch
from headrace.http.messages import Receive, Scope
from headrace.interfaces import Seen

Look = Callable[[], Awaitable[Seen]]


class Patience:
    """One client that waits."""

    def __init__(self, watch: Watch, scope: Scope, receive: Receive) -> None:
        """`receive` is past the body: what comes next is that the client leaves."""
        self._watch, self._scope, self._receive = watch, scope, receive
        self.has_left = False

    async def end_of(self, job: JobId, look: Look, wait_s: float) -> Seen:
        """Return the job as it is when it is over, or when nobody is to wait for it any more.

        Raises what `look` raises.
        """
        with self._watch.of(job) as news:
            seen = await look()
            if wait_s <= 0 or not is_live(seen.job):
                return seen

            def left() -> None:
                self.has_left = True
                news.set()

            async with followed(self._scope, self._receive, left):
                return await self._until(news, look, seen, wait_s)

    async def _until(self, news: asyncio.Event, look: Look, seen: Seen, wait_s: float) -> Seen:
        try:
            async with asyncio.timeout(wait_s):
                while is_live(seen.job) and not (self.has_left or self._watch.is_closing):
                    await news.wait()
                    news.clear()
                    seen = await look()
        except TimeoutError:
            return await look()
        return seen
