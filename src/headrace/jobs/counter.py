"""Where code of this server submits jobs: it hears of each, and answers when it is on the disk.

Such a job belongs to no request, and to no key: the one that made it may be over long before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from headrace.core.jobs import JobId
from headrace.core.messages import ReplicaId
from headrace.errors import ConfigError, HeadraceError, Refused
from headrace.jobs.jobs import Jobs
from headrace.jobs.orders import Order
from headrace.model.called import refusal
from headrace.model.envelope import Reply
from headrace.model.job import with_changes
from headrace.model.pickles import joined, packed
from headrace.model.submit import Accepted, Wanted
from headrace.replica.frames import Answered, Submit, Word
from headrace.runtime.driver import Driver

log = logging.getLogger("headrace.jobs")
Tell = Callable[[ReplicaId, Word], None]


class Counter:
    """Takes what replicas' code, and the program around a server, want to have done later."""

    def __init__(
        self, driver: Driver, jobs: Jobs | None, url_of: Callable[[JobId], str], tell: Tell
    ) -> None:
        """Hear them from now on; without `jobs` they are refused. `tell` brings the answers."""
        self._jobs, self._url_of, self._tell = jobs, url_of, tell
        self._tasks: set[asyncio.Task[None]] = set()
        driver.hears[Submit] = self.hear

    def hear(self, asker: ReplicaId, news: Submit) -> None:
        """Write a job down, and tell."""
        task = asyncio.get_running_loop().create_task(self._answer(asker, news))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reply(self, wanted: Wanted) -> Reply:
        """Write a job down; return an `Accepted`, packed, or the fault that refuses it."""
        try:
            return joined(packed(tuple(await self.submit(wanted))))
        except HeadraceError as error:
            return refusal(error)
        except Exception:
            log.exception("a bug in Headrace: a job of %s could not be taken", wanted.endpoint)
            return refusal(Refused("the job could not be taken; the server's log has why"))

    async def submit(self, wanted: Wanted) -> Accepted:
        """Write a job down. Raises HeadraceError: then nothing is."""
        if self._jobs is None:
            raise ConfigError("jobs are switched off: the setting `jobs` is false")
        endpoint = self._jobs.endpoints.get(wanted.endpoint)
        terms = None if endpoint is None else with_changes(endpoint.terms, wanted.changes)
        order = Order(wanted.label, wanted.body, wanted.content_type)
        receipt = await self._jobs.submit(
            order,
            endpoint=wanted.endpoint,
            terms=terms,
            key=wanted.key,
            id=None if wanted.id is None else JobId(wanted.id),
        )
        job = receipt.job.id
        return Accepted(job, self._url_of(job), receipt.is_new)

    async def close(self) -> None:
        """Answer those who still wait, and hear no more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _answer(self, asker: ReplicaId, news: Submit) -> None:
        self._tell(asker, Answered(news.number, await self.reply(news.wanted)))
