"""The door of the room: jobs are submitted here, and run by the deployments of this server.

One per engine worker. The store is asked directly for everything but submitting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.core.attempts import LEASE_S
from headrace.core.jobs import EVERYBODY, JobId, Tenant, Terms
from headrace.core.messages import DeploymentId
from headrace.core.submitting import Bounds
from headrace.errors import BadRequest, ConfigError, Refused
from headrace.interfaces import JobStore, Receipt, Submission, Timed
from headrace.jobs import orders
from headrace.jobs.deferred import Deferred
from headrace.jobs.endpoints import JobEndpoint, Validate
from headrace.jobs.metrics import lines
from headrace.jobs.orders import Order
from headrace.jobs.runner import Runner
from headrace.jobs.sqlite import Options
from headrace.runtime.driver import Driver

__all__ = ["JobEndpoint", "Jobs", "Keeping", "Validate"]
log = logging.getLogger("headrace.jobs")
PATIENCE_S = 3.0
"""How long a start waits for a server that is about to let go of the file."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How jobs are kept, and how many."""

    lease_s: float = LEASE_S
    max_queued: int = 10_000
    """Of one endpoint."""
    holder: str = ""
    """What a second server is told of this one."""


class Jobs:
    """Its life: `open`, `lead` as often as one likes, `drain`, `close`."""

    def __init__(self, driver: Driver, keeping: Keeping) -> None:
        """Touch no file yet; within the event loop that will run it."""
        options = Options(
            bounds=Bounds(jobs=keeping.max_queued),
            lease_s=keeping.lease_s,
            patience_s=PATIENCE_S,
            holder=keeping.holder,
        )
        self._deferred = Deferred(options)
        self.store: JobStore = self._deferred
        """Show, result, events, cancel, retry, delete, page, counts and listen are asked of it.

        It is there from the first, and answers as an empty one until a file is.
        """
        self.endpoints: Mapping[str, JobEndpoint] = {}
        """Who runs what now."""
        self._runner = Runner(driver, self.store, keeping.lease_s)
        self._stop_listening = self.store.listen(self._runner.changed)
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        state = "open" if self._deferred.is_open else "without a file"
        return f"<Jobs {self._deferred.path}: {state}, {len(self.endpoints)} endpoints>"

    # --- life ----------------------------------------------------------------------------

    async def open(self, path: Path) -> None:
        """Open the file if it is there, and run what is in it; else the first job makes it.

        Raises ConfigError.
        """
        self._deferred.path = path
        if await asyncio.to_thread(path.exists):
            await self._open()

    async def _open(self) -> None:
        async with self._opening:
            if not self._deferred.is_open:
                await asyncio.to_thread(self._deferred.open)
                self._runner.begin()

    def lead(self, endpoints: Mapping[str, JobEndpoint]) -> None:
        """Let these run the jobs from now on; what a replica has begun goes on where it is."""
        self.endpoints = endpoints
        self._runner.lead(endpoints)

    def replica_ready(self, deployment: DeploymentId) -> None:
        """A replica of a deployment is ready."""
        self._runner.replica_ready(deployment)

    def drain(self) -> None:
        """Run nothing new; what no replica has begun is given back, the rest may end."""
        self._runner.drain()

    async def close(self) -> None:
        """Write down how all ended, and let go of the file; after the last replica."""
        await self._runner.close()
        self._stop_listening()
        await asyncio.to_thread(self._deferred.close)

    # --- submitting ----------------------------------------------------------------------

    async def submit(
        self,
        order: Order,
        *,
        endpoint: str,
        tenant: Tenant = EVERYBODY,
        terms: Terms | None = None,
        key: str | None = None,
        id: JobId | None = None,  # noqa: A002 - what its client calls it, as in Submission
    ) -> Receipt:
        """Validate and commit; when this returns, the job will not be lost.

        Without `terms`, the endpoint's hold. Raises RequestError (no such endpoint, a body that can
        never be run, terms that cannot be kept), Refused (QueueFull, StorageFull, Draining) and
        JobError (KeyReused).
        """
        found = self.endpoints.get(endpoint)
        if found is None:
            raise BadRequest(f"nothing runs jobs of {endpoint!r} here")
        await found.validate(order)
        await self._file()
        submission = Submission(
            endpoint,
            orders.content_of(order),
            orders.fingerprint(order),
            tenant,
            found.terms if terms is None else terms,
            id,
            key,
        )
        receipt = await self.store.submit(submission)
        if receipt.is_new:
            self._runner.accepted(receipt.job)
        return receipt

    async def schedule(self, timed: Sequence[Timed]) -> None:
        """Make these the jobs that come back by a timetable, and no others."""
        if timed:
            await self._file()
        await self.store.schedule(timed)
        self._runner.times.look_soon()

    async def _file(self) -> None:
        """Have a file to write to. Raises Refused."""
        if self._deferred.is_open:
            return
        try:
            await self._open()
        except ConfigError as error:
            raise Refused(f"jobs cannot be written down: {error}") from error

    # --- words ---------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return what /-/info tells."""
        trouble = self._runner.trouble.words
        return {
            "file": str(self._deferred.path) if self._deferred.is_open else None,
            "queued": dict(self.store.waiting()),
            "running": dict(self._runner.running),
            **({"trouble": trouble} if trouble else {}),
        }

    def metrics(self) -> Sequence[str]:
        """Return the lines of what is counted of jobs."""
        return lines(self._runner.tallies, self.store.waiting(), self._runner.running)
