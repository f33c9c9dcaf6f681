"""One app worker in one event loop: a plain application, its lifespan and its socket, put together.

loading     the target is imported, its lifespan begins; nothing is served
ok          it is served
draining    no new connection; requests under way end, within the grace
closing     what comes after the lifespan's `yield`; threads that the application started
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from headrace._version import __version__
from headrace.core.draining import Notice, Tally, tally
from headrace.errors import StartError
from headrace.host import logs
from headrace.host.applications import Kind
from headrace.host.audit import Asker
from headrace.host.beside import JOBS, jobs_path
from headrace.host.inner import InnerLine
from headrace.host.leftovers import at_work
from headrace.host.listening import ACCEPTORS, Listening, WebSockets
from headrace.host.settings import Settings
from headrace.host.targets import find_app
from headrace.host.tls import context_of
from headrace.http.around import has_around, surrounded
from headrace.http.body import Pace, Paced
from headrace.http.guard import Guard
from headrace.http.inner import Inwards
from headrace.http.messages import App
from headrace.http.plain_door import AsgiDoor, PlainDoor, Terms
from headrace.http.plain_operations import PlainOperations
from headrace.http.reception import access_log_of, received
from headrace.http.shutdown import ShutdownApi
from headrace.http.wsgi import Ways, Wsgi
from headrace.model.handle import use_line
from headrace.replica.lifespan import Lifespan

log = logging.getLogger("headrace.server")
LOOK_EVERY_S = 0.02
GOODBYE_S = 5.0
"""What the application has at least for its shutdown, even where the grace is over."""


class PlainService:
    """An app worker's life: `open`, `ready`, `stop`, `closed`."""

    def __init__(
        self,
        target: str,
        kind: Kind,
        settings: Settings,
        shutdown_key: str = "",
        inner: str = "",
    ) -> None:
        """Make ready, inside the event loop that will run it; nothing is imported yet.

        `shutdown_key` opens the shutdown API, if one was made for this server; `inner` is the
        socket of the engine worker that has its jobs, if it has some.
        """
        loop = asyncio.get_running_loop()
        self._target, self._kind, self._settings = target, kind, settings
        self._word, self._inner = "loading", inner
        if inner:
            use_line(InnerLine(inner))
        self._before = frozenset(threading.enumerate())
        self._access = access_log_of(settings)
        self._lifespan: Lifespan | None = None
        self._wsgi: Wsgi | None = None
        self._listening: list[Listening] = []
        others = lambda: self._under_way - 1  # noqa: E731 - but for the call itself
        self._shutdown = ShutdownApi(settings, shutdown_key, others, self._ask_for_stop)
        self.stop_asked: Callable[[Asker], object] = lambda _: self.stop()
        """Called where a client wants the whole server to end."""
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._notice, self._until = Notice(), 0.0
        self._in_flight = 0
        self._cut: int | None = None
        self.ready: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self.left_behind: list[str] = []
        """After the end: the application's threads that were not over in time. Python itself would
        wait for them for ever, so a process that has some is to end by `os._exit`."""

    # --- life ----------------------------------------------------------------------------

    async def open(self, *socks: socket.socket) -> None:
        """Begin to load; listen on these sockets once that is done, and tell `ready`."""
        self._starting = asyncio.create_task(self._start(socks))

    def stop(self, grace_s: float | None = None, delay_s: float = 0.0) -> None:
        """Serve on for `delay_s`, take nothing new, let the rest end; a second call hurries."""
        if not self.ready.done():
            self.ready.cancel()
        grace_s = self._settings.graceful_timeout_s if grace_s is None else grace_s
        now = asyncio.get_running_loop().time()
        until = max(now, self._notice.ask(delay_s, now)) + grace_s
        if self._stopping is None:
            self._until, self._word = until, "draining"
            self._stopping = asyncio.create_task(self._stop())
        else:
            self._until = min(self._until, until)

    async def closed(self) -> None:
        """Return when nothing is left: no request, no thread of ours, no socket."""
        await asyncio.shield(self._closed)

    def reopen(self) -> None:
        """Go on in new log files of the same names. Raises ConfigError."""
        logs.reopen()
        if self._access is not None:
            self._access.reopen()

    @property
    def tally(self) -> Tally:
        """How the stop stands."""
        left = self._under_way if self._cut is None else self._cut
        return tally(self._in_flight, left)

    @property
    def _under_way(self) -> int:
        return sum(listening.under_way for listening in self._listening)

    @property
    def requests(self) -> int:
        """How many it has answered."""
        return sum(listening.server_state.total_requests for listening in self._listening)

    # --- its steps -------------------------------------------------------------------------

    async def _start(self, socks: tuple[socket.socket, ...]) -> None:
        try:
            app = find_app(self._target)
            door = await self._door(app)
            await self._listen(door, socks)
        except StartError as error:
            if not self.ready.done():
                self.ready.set_exception(error)
            return
        if not self.ready.done():
            self._word = "ok"
            self.ready.set_result(None)

    async def _door(self, app: Any) -> App:
        """Return the application with all that stands before it, once it is ready to serve."""
        settings = self._settings
        ours, below = self._endpoints(), self._pages()
        pace = Pace(
            settings.body_idle_timeout_s, settings.min_body_bytes_per_s, settings.max_body_bytes
        )
        if self._kind == "wsgi":
            self._wsgi = Wsgi(app, _ways(settings))
            guarded = Guard(Paced(self._wsgi, pace))
            door: App = PlainDoor(guarded, ours, self._wsgi, below)
        else:
            self._lifespan = Lifespan(app)
            await self._lifespan.start()
            terms = Terms(settings.root_path, pace, not has_around(settings), self._lifespan.state)
            door = PlainDoor(AsgiDoor(app, terms), ours, below=below)
        if has_around(settings):
            door = surrounded(door, settings)
        return received(door, settings, self._access)

    def _endpoints(self) -> dict[str, App]:
        operations = PlainOperations(self._target, self._kind, __version__, self.status)
        return operations.endpoints() | self._shutdown.endpoints(is_alone=False)

    def _pages(self) -> dict[str, App]:
        """Return the pages of jobs: an application has every other path for itself."""
        if not self._inner:
            return {}
        inwards = Inwards(self._inner, self._settings.max_body_bytes)
        return dict.fromkeys((JOBS, jobs_path(self._settings)), inwards)

    def _ask_for_stop(self, asker: Asker) -> None:
        self.stop_asked(asker)

    async def _listen(self, door: App, socks: tuple[socket.socket, ...]) -> None:
        settings = self._settings
        make = partial(
            Listening,
            limits=settings.limits(),
            tls=context_of(settings),
            sockets=WebSockets(settings.websocket_max_bytes, settings.websocket_ping_s),
            acceptors=ACCEPTORS if settings.workers == 1 else 1,
        )
        self._listening = [make(door, sock) for sock in socks]
        for listening in self._listening:
            await listening.open()

    async def _stop(self) -> None:
        """Go through the end, step by step; whatever fails in one, the next ones are taken."""
        try:
            await self._end_start()
            await self._serve_on()
            await self._drain()
            for listening in self._listening:
                await listening.close()
            if self._wsgi is not None:
                self._wsgi.close()
            self._word = "closing"
            if self._lifespan is not None:
                await self._lifespan.stop(max(GOODBYE_S, self._left_s()))
            await self._wait_for_threads()
        except Exception:
            log.exception("a bug in Headrace: the stop of %s went wrong", self._target)
        finally:
            if self._access is not None:
                self._access.close()
            self._closed.set_result(None)

    async def _end_start(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])

    async def _serve_on(self) -> None:
        """Let balancers look away first; a second stop brings the end of that nearer."""
        while self._notice.begins_at > asyncio.get_running_loop().time():  # noqa: ASYNC110 - time
            await asyncio.sleep(LOOK_EVERY_S)

    async def _drain(self) -> None:
        """Let requests under way end, and every connection have its last answer."""
        self._in_flight = self._under_way
        for listening in self._listening:
            await listening.refuse()
        is_idle = False  # at first somebody may be accepted, and not yet be counted
        while not is_idle and self._left_s() > 0:
            for listening in self._listening:
                listening.let_go()
            await asyncio.sleep(LOOK_EVERY_S)
            is_idle = self._is_idle()
        self._cut = self._under_way

    def _is_idle(self) -> bool:
        busy = self._wsgi is not None and self._wsgi.is_busy
        return not busy and all(listening.is_idle for listening in self._listening)

    async def _wait_for_threads(self) -> None:
        """Wait for the threads that the application started and did not make daemons."""
        while (left := at_work(self._before)) and self._left_s() > 0:  # noqa: ASYNC110 - they are not ours
            await asyncio.sleep(LOOK_EVERY_S)
        self.left_behind = [thread.name for thread in left]
        if left:
            names = ", ".join(self.left_behind)
            log.warning("threads of the application were cut off by the stop: %s", names)

    def _left_s(self) -> float:
        return self._until - asyncio.get_running_loop().time()

    # --- words -----------------------------------------------------------------------------

    def describe(self) -> list[str]:
        """Return a line that tells what answers."""
        threads = self._settings.threads
        ways = f", {threads} thread{'s' if threads != 1 else ''}" if self._kind == "wsgi" else ""
        return [f"  /  {self._target}: {self._kind.upper()} application{ways}"]

    def status(self) -> dict[str, Any]:
        """Return what /-/health tells."""
        return {"status": self._word}


def _ways(settings: Settings) -> Ways:
    return Ways(
        threads=settings.threads,
        max_body_bytes=settings.max_body_bytes,
        hang_after_s=settings.worker_timeout_s,
        root_path=settings.root_path,
        is_one_of_many=settings.workers > 1,
    )
