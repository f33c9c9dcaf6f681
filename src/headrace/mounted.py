"""A server as an ASGI application, for another server to run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import cast

from headrace.alone import service_of
from headrace.errors import SetupFailed, StartError
from headrace.host.audit import Asker, by_program
from headrace.host.own_end import OwnEnd
from headrace.host.settings import Settings
from headrace.http.messages import Receive, Scope, Send
from headrace.model.application import Application
from headrace.service import Service


class Mounted:
    """A server as an ASGI application. It starts with its lifespan, or else on its first request.

    Jobs need a file of their own here: name it with the setting `jobs_file`.

    An outer application never runs a mounted one's lifespan: give it `lifespan` itself.
    """

    def __init__(self, applications: Sequence[Application], settings: Settings) -> None:
        if settings.jobs_file is None:  # several processes of the other server may have us each
            settings = replace(settings, jobs=False)
        self._applications, self._settings = applications, settings
        self._service: Service | None = None
        self._opening: asyncio.Task[Service] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scope."""
        if scope["type"] == "lifespan":
            await self._follow_lifespan(receive, send)
            return
        service = self._service or await self._open()
        await service.app(_below_mount(scope), receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:  # noqa: ARG002 - Starlette passes it
        """Run the server within the block. Raises SetupFailed."""
        await self._open()
        try:
            yield
        finally:
            await self._close()

    async def _open(self) -> Service:
        if self._opening is None:
            self._opening = asyncio.create_task(self._start())
        return await asyncio.shield(self._opening)

    async def _start(self) -> Service:
        self._end = OwnEnd(self._settings)
        service = service_of(self._applications, self._settings, self._end)
        service.stop_asked = self._stop_by
        await service.open()
        try:
            await service.ready
        except SetupFailed:
            service.stop(0.0)
            await service.closed()
            raise
        self._service = service
        return service

    def _stop_by(self, asker: Asker) -> None:
        """End the models' part of the outer application; the rest of it is not ours to end."""
        if self._service is not None:
            self._end.ask(self._service, asker)
            self._closing = self._closing or asyncio.create_task(self._closed(self._service))

    async def _closed(self, service: Service) -> None:
        await service.closed()
        await asyncio.to_thread(self._end.done, service.tally)

    async def _close(self) -> None:
        if self._service is not None:
            if self._closing is None:
                self._stop_by(by_program())
            await cast("asyncio.Task[None]", self._closing)
            self._service = self._opening = self._closing = None

    async def _follow_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._open()
        except StartError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})


def _below_mount(scope: Scope) -> Scope:
    """Return the scope as seen from below the outer application's mount point."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    if root and path.startswith(root):
        return {**scope, "path": path[len(root) :] or "/"}
    return scope
