"""The jobs of one server in an event loop: opened, led to what is served, closed with it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from headrace.applications import Applications
from headrace.core.messages import DeploymentId
from headrace.errors import HeadraceError
from headrace.host.jobs_file import jobs_file
from headrace.host.settings import Settings
from headrace.job_endpoints import JobEndpoints
from headrace.jobs.jobs import Jobs, Keeping
from headrace.memory.worker import WorkerMemory
from headrace.runtime.driver import Driver
from headrace.runtime.validating import Validating

log = logging.getLogger("headrace.jobs")


class JobRoom:
    """A server has one; where jobs are switched off, nothing is in it."""

    def __init__(
        self,
        applications: Applications,
        settings: Settings,
        driver: Driver,
        memory: Callable[[], WorkerMemory | None],
    ) -> None:
        """Touch no file yet; within the event loop that will run it."""
        self._settings = settings
        self._endpoints = JobEndpoints(applications, settings, Validating(driver), memory)
        self.jobs: Jobs | None = None
        if settings.jobs:
            self.jobs = Jobs(driver, Keeping(settings.job_lease_s, settings.max_queued_jobs))
        self._own_folder: Path | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, socks: Sequence[socket.socket]) -> None:
        """Run what is written down already. Raises ConfigError for a file that is of no use.

        A server without an address, for whose jobs nobody named a file, forgets them with its end.
        """
        if self.jobs is None:
            return
        file = jobs_file(self._settings, socks)
        if file is None:
            self._own_folder = Path(tempfile.mkdtemp(prefix="headrace-jobs-"))
            file = self._own_folder / "jobs.sqlite3"
        self._lead(self.jobs)
        await self.jobs.open(file)
        await self._keep_time(self.jobs)

    def follow(self) -> None:
        """Lead to what is served now."""
        if self.jobs is not None:
            self._lead(self.jobs)
            task = asyncio.get_running_loop().create_task(self._keep_time(self.jobs))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _lead(self, jobs: Jobs) -> None:
        jobs.lead(self._endpoints.present())

    async def _keep_time(self, jobs: Jobs) -> None:
        """Let the timetables be those of the functions that there are."""
        try:
            await jobs.schedule(self._endpoints.timed(jobs.endpoints))
        except HeadraceError as error:
            log.warning("the timetables of jobs stay as they were: %s", error)

    def replica_ready(self, deployment: DeploymentId) -> None:
        """A replica of a deployment is ready."""
        if self.jobs is not None:
            self.jobs.replica_ready(deployment)

    def drain(self) -> None:
        """Run nothing new; what no replica has begun is given back, the rest may end."""
        if self.jobs is not None:
            self.jobs.drain()

    async def close(self) -> None:
        """Write down how all ended; after the last replica."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.jobs is not None:
            await self.jobs.close()
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def status(self) -> dict[str, Any] | None:
        """Return what /-/info tells."""
        return None if self.jobs is None else self.jobs.status()

    def metrics(self) -> Sequence[str]:
        """Return the lines of what is counted of jobs."""
        return () if self.jobs is None else self.jobs.metrics()
