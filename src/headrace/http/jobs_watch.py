"""Who waits for news of which job. The store is listened to only while somebody waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence

from headrace.core.jobs import JobId
from headrace.interfaces import Change
from headrace.jobs.jobs import Jobs


class Watch:
    """One for all requests of an event loop."""

    def __init__(self, jobs: Jobs) -> None:
        """Begin without anybody who waits."""
        self._jobs = jobs
        self._waiting: dict[JobId, set[asyncio.Event]] = {}
        self._stop_listening: Callable[[], None] | None = None
        self.is_closing = False

    def __repr__(self) -> str:
        waiting = sum(map(len, self._waiting.values()))
        return f"<Watch: {waiting} wait for {len(self._waiting)} jobs>"

    @contextlib.contextmanager
    def of(self, job: JobId) -> Iterator[asyncio.Event]:
        """Give an event that is set at all that happens to a job, and when the server stops.

        Look at the job within this block: what happens from then on is told.
        """
        news = asyncio.Event()
        if self.is_closing:
            news.set()
        if self._stop_listening is None:
            self._stop_listening = self._jobs.store.listen(self._heard)
        self._waiting.setdefault(job, set()).add(news)
        try:
            yield news
        finally:
            self._leave(job, news)

    def let_go(self) -> None:
        """Have everybody look once more, and then wait no longer: the server is to stop."""
        self.is_closing = True
        for events in self._waiting.values():
            for news in events:
                news.set()

    def _leave(self, job: JobId, news: asyncio.Event) -> None:
        others = self._waiting[job]
        others.discard(news)
        if not others:
            del self._waiting[job]
        if not self._waiting and self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None

    def _heard(self, changes: Sequence[Change]) -> None:
        for job in {change.id for change in changes} & self._waiting.keys():
            for news in self._waiting[job]:
                news.set()
