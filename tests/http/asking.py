"""The front door over inline models: what a hook does is in the test's hands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Unpack

import httpx2

import headrace as hr
from headrace.host.settings import SettingWords, settle
from headrace.model.served import describe
from headrace.service import Service

PATIENCE_S = 5.0


@dataclass(slots=True)
class Gate:
    """Holds what comes to it until it is opened."""

    held: int = 0
    cancelled: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_through(self) -> None:
        self.held += 1
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.held -= 1

    def open(self) -> None:
        self._open.set()


gates: dict[str, Gate] = {}


@hr.deployment(executor="inline", max_queued_requests=2, max_ongoing_requests=1, route="/gated")
class Gated(hr.Model):
    async def predict(self, gate: str) -> str:
        await gates[gate].pass_through()
        return gate


@hr.deployment(executor="inline", route="/typed", max_body_bytes=100)
class Typed(hr.Model):
    def predict(self, name: str, times: int = 1) -> str:
        return name * times


@hr.deployment(executor="inline", route="/raising", timeout_s=0.05)
class Raising(hr.Model):
    async def predict(self, how: str, context: hr.Context) -> Any:
        if how == "error":
            raise ValueError("a secret")
        if how == "teapot":
            raise hr.HTTPError(418, "short and stout", {"X-Tea": "green"})
        if how == "late":
            await asyncio.sleep(10)
        context.status = 201
        context.response_headers["X-Made"] = how
        return {"how": how}


@hr.deployment(executor="inline", route="/loading")
class Loading(hr.Model):
    async def setup(self) -> None:
        await gates["setup"].pass_through()

    def predict(self, value: Any) -> Any:
        return value


@contextlib.asynccontextmanager
async def opened(
    *models: type[hr.Model], sock: socket.socket | None = None, **settings: Unpack[SettingWords]
) -> AsyncIterator[Service]:
    """Open a service of these models, with gates of its own; close it at the end."""
    gates.clear()
    gates.update({name: Gate() for name in ("a", "b", "c", "setup")})
    service = Service([describe(model) for model in models], settle(settings))
    await service.open(*([] if sock is None else [sock]))
    try:
        yield service
    finally:
        for gate in gates.values():
            gate.open()
        service.stop(0.0)
        await service.closed()


@contextlib.asynccontextmanager
async def ready(
    *models: type[hr.Model], sock: socket.socket | None = None, **settings: Unpack[SettingWords]
) -> AsyncIterator[tuple[Service, httpx2.AsyncClient]]:
    """Open a service, wait until it is ready, and give a client of it."""
    async with opened(*models, sock=sock, **settings) as service:
        await asyncio.wait_for(service.ready, PATIENCE_S)
        async with client_of(service) as client:
            yield service, client


def client_of(service: Service) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(service.app)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


async def until(true: Any, what: str) -> None:
    """Let the loop run until it is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.001)
    assert true(), what


def queued(service: Service, name: str) -> int:
    return int(service.status()["deployments"][name]["queued"])


class RawClient:
    """An ASGI server's side of one request: it can leave in the middle."""

    def __init__(
        self,
        service: Service,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        more: bool = False,
    ) -> None:
        raw = [(b"content-type", b"application/json")]
        raw += [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": raw,
        }
        self.sent: list[Any] = []
        self._coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._coming.put_nowait({"type": "http.request", "body": body, "more_body": more})
        self.task = asyncio.ensure_future(service.app(scope, self._coming.get, self._send))

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def leave(self) -> None:
        self._coming.put_nowait({"type": "http.disconnect"})
