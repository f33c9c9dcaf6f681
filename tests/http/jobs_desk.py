"""Jobs over HTTP with a store of their own and nobody at work: the test is the worker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Unpack, cast

import httpx2
import msgspec

from headrace.core.attempts import Said
from headrace.core.messages import DeploymentId
from headrace.host.settings import SettingWords
from headrace.http.body import Pace
from headrace.http.jobs_doors import JobDoors
from headrace.interfaces import Claim, Progress
from headrace.jobs.jobs import JobEndpoint, Jobs
from headrace.jobs.orders import Order, Outcome, order_of, output_of
from headrace.jobs.sqlite import Options, SqliteJobs
from headrace.service import Service
from tests.http.asking import ready, until

LATER = {"Prefer": "respond-async"}


class Desk(Jobs):
    """Takes jobs, and runs none of them by itself."""

    def __init__(self, store: SqliteJobs, endpoints: Mapping[str, JobEndpoint]) -> None:
        self.store, self.endpoints = store, dict(endpoints)
        self.kept = store
        self._runner = cast("Any", SimpleNamespace(accepted=lambda job: None))

    async def _file(self) -> None:
        """It is there from the first."""

    async def claim(self, *names: str) -> Claim:
        """Begin the next job."""
        (claim,) = await self.store.claim(names or tuple(self.endpoints), 1)
        return claim

    async def order(self, claim: Claim) -> Order:
        """Read what it is given."""
        return order_of(claim.content.head, await self.store.read(claim.content))

    async def answer(
        self, claim: Claim, value: Any = "done", *, said: Said = Said.SUCCEEDED, **words: Any
    ) -> None:
        """End a job well."""
        outcome = Outcome(200, "application/json", [], msgspec.json.encode(value))
        outcome = msgspec.structs.replace(outcome, **words)
        await self.store.finish(claim.hold, said, output_of(outcome))

    async def tell(self, claim: Claim, done: float, total: float = 10.0, note: str = "") -> None:
        await self.store.progress(claim.hold, Progress(done, total, note))

    async def store_items(self, claim: Claim, *items: bytes) -> None:
        await self.store.emit(claim.hold, "item", items)

    async def run_next(self, value: Any = "done") -> Claim:
        claim = await self.claim()
        await self.answer(claim, value)
        return claim


@dataclass(slots=True)
class Office:
    """A server with jobs."""

    service: Service
    client: httpx2.AsyncClient
    desk: Desk
    doors: JobDoors

    async def submit(self, path: str = "/typed", body: Any = None, **words: Any) -> httpx2.Response:
        """Ask for an answer later."""
        headers = {**LATER, **words.pop("headers", {})}
        given = {"name": "a"} if body is None else body
        return await self.client.post(path, json=given, headers=headers, **words)


def endpoint(name: str, **fields: Any) -> JobEndpoint:
    return replace(JobEndpoint(name, DeploymentId(name.strip("/"))), **fields)


@contextlib.asynccontextmanager
async def office(
    folder: Path,
    *models: type[Any],
    options: Options | None = None,
    endpoints: Sequence[JobEndpoint] = (),
    sock: socket.socket | None = None,
    **settings: Unpack[SettingWords],
) -> AsyncIterator[Office]:
    """Open a server of these models whose jobs nobody runs but the test."""
    store = SqliteJobs(folder / "jobs.db", options)
    known = {each.name: each for each in endpoints or [endpoint("/typed")]}
    settings.setdefault("jobs", False)
    try:
        async with ready(*models, sock=sock, **settings) as (service, client):
            desk = Desk(store, known)
            doors = JobDoors(desk, service._settings, Pace())
            service._doors._jobs = doors
            service._doors.lead()
            yield Office(service, client, desk, doors)
            doors.let_go()
    finally:
        store.close()


class Reader:
    """Reads a response as it comes, by way of ASGI; it can leave in the middle."""

    def __init__(
        self, service: Service, path: str, headers: Mapping[str, str] | None = None
    ) -> None:
        path, _, query = path.partition("?")
        raw = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": raw,
        }
        self.sent: list[Any] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self._coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._coming.put_nowait({"type": "http.request", "body": b""})
        self.task = asyncio.ensure_future(service.app(scope, self._coming.get, self._take))

    async def _take(self, message: Any) -> None:
        self.sent.append(message)
        await self.takes.wait()

    def leave(self) -> None:
        self._coming.put_nowait({"type": "http.disconnect"})

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def events(self) -> list[dict[str, str]]:
        """Read what came as an event source does."""
        found = []
        for block in self.text.split("\n\n"):
            lines = [line.partition(": ") for line in block.split("\n") if line]
            said = [(name, value) for name, _, value in lines]
            if any(name == "id" for name, _ in said):
                data = "\n".join(value for name, value in said if name == "data")
                found.append({**dict(said), "data": data})
        return found

    async def heard(self, count: int) -> list[dict[str, str]]:
        await until(lambda: len(self.events) >= count, f"{count} events, not {self.text}")
        return self.events

    async def ended(self) -> list[dict[str, str]]:
        async with asyncio.timeout(5):
            await self.task
        return self.events
