"""A server in the test's own event loop, with its jobs in a file of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from headrace.alone import applications_of
from headrace.core.jobs import ENDED, USUAL, JobId, Terms
from headrace.host.settings import Settings
from headrace.interfaces import Seen
from headrace.jobs.jobs import Jobs
from headrace.jobs.orders import Order, Outcome, outcome_of
from headrace.model.envelope import Head
from headrace.model.gathering import Wish
from headrace.service import Service

PATIENCE_S = 20.0
GRACE_S = 0.5
JSON = "application/json"


@contextlib.asynccontextmanager
async def serving(folder: Path, *targets: Any, **settings: Any) -> AsyncIterator[Service]:
    """Serve these, until the block ends."""
    told = Settings(jobs_file=str(folder / "jobs.sqlite3"), **settings)
    service = Service(applications_of([Wish(list(targets))]), told)
    await service.open()
    await service.ready
    try:
        yield service
    finally:
        service.stop(GRACE_S)
        await service.closed()


def jobs_of(service: Service) -> Jobs:
    """Return its jobs."""
    found = service._jobs.jobs
    assert found is not None
    return found


def route_of(service: Service, name: str) -> str:
    """Return where a deployment is asked; where it is alone, that is not its name."""
    return next(route for route, label in service.applications.routes.items() if label == name)


async def submitted(
    service: Service, name: str, body: bytes, terms: Terms = USUAL, head: Head | None = None
) -> JobId:
    """Submit a job to the deployment of this name; return its id."""
    order = Order("asked", body, JSON if head is None else None, head)
    route = route_of(service, name)
    receipt = await jobs_of(service).submit(order, endpoint=route, terms=terms)
    return receipt.job.id


async def seen_when(
    service: Service, job: JobId, true: Callable[[Seen], object], within_s: float = PATIENCE_S
) -> Seen:
    """Wait until a job is as it is to be."""
    until = time.monotonic() + within_s
    while True:
        seen = await jobs_of(service).store.show(None, job)
        if true(seen):
            return seen
        assert time.monotonic() < until, f"it is {seen}"
        await asyncio.sleep(0.01)


async def ended(service: Service, *jobs: JobId) -> Sequence[Seen]:
    """Wait until all have ended."""
    return [await seen_when(service, job, lambda seen: seen.job.status in ENDED) for job in jobs]


async def outcome(service: Service, job: JobId) -> Outcome:
    """Return what an ended job answered."""
    store = jobs_of(service).store
    stored = await store.result(None, job)
    return outcome_of(stored.head, await store.read(stored))


async def body(service: Service, job: JobId) -> bytes:
    """Return the body of what it answered."""
    return bytes((await outcome(service, job)).body)
