"""uvicorn's way from a request's head to its task, without what most requests have no use for.

An event is made for whoever waits on it, a buffer for who has a body; what holds for every request
stands in the class. What is left is what uvicorn does, in its words.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from httptools import parse_url
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from headrace.host.connection import EXTENSION


class Cycle(RequestResponseCycle):
    """One request and its response; see uvicorn for what each name means."""

    logger = logging.getLogger("uvicorn.error")
    access_log = disconnected = waiting_for_100_continue = False
    response_started = response_complete = False
    more_body = True
    chunked_encoding: bool | None = None
    expected_content_length = 0
    body: Any = b""
    tasks: set[asyncio.Task[None]]
    task: asyncio.Task[None]

    def __init__(self, connection: HttpToolsProtocol, *, keep_alive: bool) -> None:
        """Set what differs between requests; the rest stands above."""
        self.scope, self.keep_alive = connection.scope, keep_alive
        self.transport, self.flow = connection.transport, connection.flow
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        if connection.expect_100_continue:
            self.waiting_for_100_continue = True

    @cached_property
    def message_event(self) -> asyncio.Event:  # type: ignore[override] # made when it is asked for
        """What `receive` waits for."""
        event = asyncio.Event()
        if self.body or not self.more_body:
            event.set()
        return event

    def wake(self) -> None:
        """Wake whoever waits in `receive`; nobody ever did if there is no event."""
        if event := self.__dict__.get("message_event"):
            event.set()

    async def run_asgi(self, app: Any) -> None:
        """Run the application; what it does wrong is uvicorn's to tell."""
        try:
            result = await app(self.scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 - uvicorn has a log and a response for it
            await super().run_asgi(_raising(error))
        else:
            if result is None and self.response_complete:
                self.on_response = _nothing
            else:
                await super().run_asgi(_returning(result))
        finally:
            self.tasks.discard(self.task)  # a callback when it is done would cost twice as much


class LeanProtocol(HttpToolsProtocol):
    """uvicorn's connection, whose requests are lean."""

    cycle: Cycle
    pipeline: deque[tuple[Cycle, Any]]  # type: ignore[assignment] # uvicorn's would be its own

    def on_message_begin(self) -> None:
        """Begin a scope, and put the connection into it."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": {},
            "extensions": {EXTENSION: self},
        }
        self.scope = scope  # type: ignore[assignment] # a TypedDict

    def begin(self, version: str) -> None:
        """Begin the request whose headers are here: as a task, or in the queue behind another."""
        parser, scope = self.parser, self.scope
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        if parser.should_upgrade() and self._should_upgrade():
            return
        url = parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"], scope["query_string"] = url.path, url.query or b""
        before: Cycle | None = self.cycle  # None before the first request
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self.cycle = cycle = Cycle(self, keep_alive=keep_alive)
        if before is None or before.response_complete:
            self.enter(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def enter(self, cycle: Cycle, app: Any) -> None:
        """Begin a request whose turn it is."""
        self.start(cycle, app)

    def start(self, cycle: Cycle, app: Any) -> None:
        """Begin to run an application; its task is known as long as it runs."""
        cycle.tasks = self.tasks
        cycle.task = task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; see uvicorn."""
        cycle: Cycle | None = self.cycle  # None for a WebSocket
        if cycle is not None and not cycle.body:
            cycle.body = bytearray()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of the request; see uvicorn."""
        cycle: Cycle | None = self.cycle  # None for a WebSocket
        if cycle is None or cycle.response_complete or self.parser.should_upgrade():
            super().on_message_complete()
        else:
            cycle.more_body = False
            cycle.wake()


def _raising(error: BaseException) -> Any:
    async def app(*_: object) -> None:
        raise error

    return app


def _returning(result: object) -> Any:
    async def app(*_: object) -> object:
        return result

    return app


def _nothing(*_: object) -> None:
    """What a response that is over calls: uvicorn's way to let the connection go."""
