"""An application's life by ASGI's lifespan: begun before the first request, ended after the last.

    what the application does                          what it means
    sends startup.complete                             it is ready, with its state
    sends startup.failed, or raises after `receive`    it cannot start
    raises or returns before it says anything          it has no lifespan, and needs none

An application without one is served at once.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from headrace.errors import SetupFailed
from headrace.replica.asgi_types import App, Event

log = logging.getLogger("headrace.replica")
OF_A_REQUEST = frozenset(
    {"method", "path", "raw_path", "query_string", "headers", "http_version", "client", "server"}
)
"""An application that misses one of these took the lifespan for a request: it knows no lifespan."""


class Lifespan:
    """One application's start-up and shutdown, run in one task as the specification wants it."""

    def __init__(self, app: App) -> None:
        """Take the application."""
        self._app = app
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._was_told = False
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[bool] = loop.create_future()
        self.state: dict[str, Any] = {}
        """What the application's start-up yielded; each request gets a copy."""

    async def start(self) -> None:
        """Return when the application is ready to serve. Raises SetupFailed."""
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._run())
        if not await asyncio.shield(self._started):
            self._task = None  # it has none: nobody is to be told of the end

    async def stop(self, within_s: float) -> None:
        """Let what comes after the application's `yield` run; log it if that fails."""
        task = self._task
        if task is None:
            return
        self._task = None
        if self._started.done() and not self._started.cancelled() and not self._started.exception():
            self._events.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait([task], timeout=within_s)
            if not task.done():
                log.error("the application's shutdown was cut off after %.1f s", within_s)
        task.cancel()
        await asyncio.wait([task])

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            self._answer(has_lifespan=False)
        except BaseException as error:  # noqa: BLE001 - the start, or the log, is to hear of it
            self._raised(error)
        else:
            self._answer(has_lifespan=False)

    def _raised(self, error: BaseException) -> None:
        if self._started.done():
            log.error("the application's shutdown failed", exc_info=error)
        elif self._was_told and not _took_it_for_a_request(error):
            words = "".join(traceback.format_exception(error))
            self._fail(f"{type(error).__name__}: {error}", words)
        else:
            self._answer(has_lifespan=False)

    async def _receive(self) -> Event:
        message = await self._events.get()
        self._was_told = True
        return message

    async def _send(self, message: Event) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._answer(has_lifespan=True)
            case "lifespan.startup.failed":
                told = str(message.get("message", "")).strip()
                last = told.splitlines()[-1] if told else "it said no more than that"
                self._fail(last, told if "\n" in told else "")
            case "lifespan.shutdown.complete":
                pass
            case "lifespan.shutdown.failed":
                log.error("the application's shutdown failed: %s", message.get("message", ""))
            case other:
                self._was_told = False  # it took this for a request
                raise RuntimeError(f"a lifespan has no message {other!r}")

    def _answer(self, *, has_lifespan: bool) -> None:
        if not self._started.done():
            self._started.set_result(has_lifespan)

    def _fail(self, words: str, told: str) -> None:
        if not self._started.done():
            error = SetupFailed(f"the application could not start: {words}", traceback=told)
            self._started.set_exception(error)


def _took_it_for_a_request(error: BaseException) -> bool:
    return isinstance(error, KeyError) and bool(error.args) and error.args[0] in OF_A_REQUEST
