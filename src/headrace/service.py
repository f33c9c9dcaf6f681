"""One server in one event loop: its applications, engine, front door, listening sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from headrace._version import __version__
from headrace.applications import Applications, Read, described
from headrace.core.draining import Tally
from headrace.core.engine import Engine
from headrace.core.messages import DeploymentId, ReplicaId, Why
from headrace.doors import Doors
from headrace.errors import SetupFailed
from headrace.host import logs
from headrace.host.audit import Asker
from headrace.host.inner import PATH
from headrace.host.listening import Listening, WebSockets
from headrace.host.redescribing import read_again
from headrace.host.settings import Settings
from headrace.host.tls import context_of
from headrace.host.watching import contents_of, imported_files
from headrace.http.around import surrounded
from headrace.http.inner import InnerSubmit
from headrace.http.messages import App
from headrace.http.operations import Operations
from headrace.http.reception import access_log_of, received
from headrace.http.shutdown import ShutdownApi
from headrace.job_room import JobRoom
from headrace.jobs.counter import Counter
from headrace.memory.worker import WorkerMemory, shared_memory
from headrace.model.application import Application, as_applications
from headrace.model.faults import debugging
from headrace.model.served import Served
from headrace.replica.lines import LoopLine
from headrace.runtime.checked import CheckedEngine
from headrace.runtime.departure import Departure
from headrace.runtime.driver import Driver, Starter
from headrace.runtime.handle import Desk, program_line
from headrace.runtime.loader import Loader
from headrace.runtime.metrics import COUNTERS
from headrace.runtime.models import Models
from headrace.runtime.status import status_of
from headrace.runtime.watcher import Watcher

log = logging.getLogger("headrace.server")
CLOSING_S = 10.0


class Service(Watcher):
    """A server's life: `open`, `ready`, `reload` as often as one likes, `stop`, `closed`."""

    def __init__(
        self,
        serves: Sequence[Application | Served],
        settings: Settings,
        anew: Read | None = None,
        *,
        shutdown_key: str = "",
        is_beside: bool = False,
    ) -> None:
        """Put it together, inside the event loop that will run it; `anew` reads the targets again.

        Deployments alone are the default application. `shutdown_key` opens the shutdown API, if
        one was made for this server. One that `is_beside` app workers has their jobs.
        """
        self._settings, self._anew = settings, anew
        engine = CheckedEngine() if settings.debug else Engine()
        starters: dict[str, Starter] = {}
        self.driver = Driver(engine, starters)
        loader = self.driver.watcher = Loader(self.driver, self)
        Models(self.driver)
        engine.budget_bytes = settings.memory_budget_bytes or inf
        self._memory: WorkerMemory | None = None
        self.applications = Applications(
            as_applications(serves), settings, loader, starters, self.driver, self._shared
        )
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        for generation in self.applications.present.values():
            generation.loaded.add_done_callback(self._tell_if_failed)
        self._drained: asyncio.Future[None] = loop.create_future()
        self._http: list[Listening] = []
        self._jobs = JobRoom(self.applications, settings, self.driver, self._shared)
        self._doors = Doors(self.applications, settings, self.driver, self._shared, self._jobs.jobs)
        self.applications.switched = self._follow
        self.applications.closing = self._doors.close
        self._desk = Desk(self.driver, self._timeout_s)
        self._counter = Counter(self.driver, self._jobs.jobs, self._doors.job_url, self._desk.tell)
        self._line: LoopLine | None = None
        self.stop_asked: Callable[[Asker], object] = lambda _: self.stop()
        """Called where a client wants the whole server to end."""
        self._departure = Departure(self.driver, self._let_go)
        self._operations = self._open_own(shutdown_key)
        if is_beside:
            self._doors.ours = {**self._doors.ours, PATH: InnerSubmit(self._counter.reply)}
        self._doors.lead()
        self._access = access_log_of(settings)
        door = surrounded(self._doors.front, settings)
        self.app: App = received(door, settings, self._access)

    def _open_own(self, shutdown_key: str) -> Operations:
        """Make our own endpoints."""
        doors = self._doors
        operations = Operations(
            self.driver, doors.endings, doors.routes, __version__, doors.document
        )
        live = self._departure.live
        api = ShutdownApi(self._settings, shutdown_key, live, self._ask_for_stop)
        operations.more = lambda: [*api.metrics(), *self._jobs.metrics()]
        operations.applications, operations.jobs = self.applications.status, self._jobs.status
        doors.ours = operations.endpoints() | api.endpoints(is_alone=True)
        return operations

    # --- life ----------------------------------------------------------------------------

    async def open(self, *socks: socket.socket) -> None:
        """Listen on these sockets, if there are any, and begin to load; `ready` tells the rest.

        Raises ConfigError for a file of jobs that is of no use.
        """
        await self._jobs.open(socks)
        if socks:
            tls = context_of(self._settings)
            limits = self._settings.limits()
            sockets = WebSockets(
                self._settings.websocket_max_bytes, self._settings.websocket_ping_s, stay=True
            )
            self._http = [
                Listening(self.app, sock, limits=limits, tls=tls, sockets=sockets) for sock in socks
            ]
            for listening in self._http:
                await listening.open()
        debugging.set(self._settings.debug)  # the replicas' tasks take it over
        self.applications.open()
        self._look()  # what is asleep need not be waited for

    def stop(self, grace_s: float | None = None, delay_s: float = 0.0) -> None:
        """Serve on for `delay_s`, refuse new requests, let the rest end; a second call hurries."""
        if not self.ready.done():
            self.ready.cancel()
        self.applications.close()
        usual_s = self._settings.graceful_timeout_s
        self._departure.ask(usual_s if grace_s is None else grace_s, delay_s)

    def _let_go(self) -> None:
        self._doors.let_go()
        self._jobs.drain()
        for listening in self._http:
            listening.let_go()

    @property
    def tally(self) -> Tally:
        """How the stop stands."""
        return self._departure.tally

    async def closed(self) -> None:
        """Return when nothing is left: no request, no replica, no socket."""
        await self._drained
        await self._jobs.close()
        await self.applications.closed()
        for listening in self._http:
            await listening.close()
        if self._memory is not None:
            self._memory.close()
        if self._access is not None:
            self._access.close()

    def reopen(self) -> None:
        """Go on in new log files of the same names. Raises ConfigError."""
        logs.reopen()
        if self._access is not None:
            self._access.reopen()

    # --- changes -------------------------------------------------------------------------

    async def reload(self, serves: Sequence[Application | Served] = ()) -> None:
        """Serve these, or what the code is by now; return when they serve.

        One at a time: whoever asks while one runs gets the next, and shares it with all who wait
        for it too. Raises StartError; then what was served still is.
        """
        read = None if serves else (self._anew or self._read_again)
        await self.applications.reload(read, as_applications(serves))

    def begin_reload(self) -> None:
        """Reload where nobody but the log hears how that goes."""
        task = asyncio.get_running_loop().create_task(self.reload())
        task.add_done_callback(_tell)

    async def _read_again(self) -> Sequence[Application]:
        present = [each.application for each in self.applications.present.values()]
        is_asked = any(each.code for each in present)
        return await read_again(present, contents_of(imported_files()) if is_asked else "")

    # --- what the driver tells -------------------------------------------------------------

    def replica_ready(self, replica: ReplicaId) -> None:
        """See `Watcher`."""
        generation = self.applications.of_replica(replica)
        generation.replica_ready(replica)
        self._jobs.replica_ready(DeploymentId(replica.rpartition("/")[0]))
        self._look()

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """See `Watcher`."""
        self.applications.of_replica(replica).replica_gone(replica, why, words)

    def replica_said(self, replica: ReplicaId, line: str) -> None:
        """See `Watcher`."""
        print(f"[{replica}] {line}", file=sys.stderr)

    def given_up(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        self.applications.of_deployment(deployment).given_up(deployment)

    def retired(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        self.driver.roster.leave(self.applications.retired(deployment), COUNTERS)

    def drained(self) -> None:
        """See `Watcher`."""
        if not self._drained.done():
            self._drained.set_result(None)

    def _look(self) -> None:
        """See whether the first generations are ready: some of each of their models."""
        if not self.ready.done() and status_of(self.driver).is_ready:
            self.ready.set_result(None)
            self.applications.is_open = True
            for generation in self.applications.present.values():
                if not generation.loaded.done():
                    generation.loaded.set_result(None)
            self.applications.note_present()

    def _tell_if_failed(self, loaded: asyncio.Future[None]) -> None:
        error = None if loaded.cancelled() else loaded.exception()
        if error is not None and not self.ready.done():
            self.ready.set_exception(error)

    # --- parts -----------------------------------------------------------------------------

    def line(self) -> LoopLine:
        """Return the way by which the program that runs this server calls its deployments."""
        if self._line is None:
            self._line = program_line(self._desk, lambda: self._memory)
        return self._line

    def _timeout_s(self, deployment: DeploymentId) -> float:
        return self.applications.of_deployment(deployment).timeout_s(deployment)

    def _ask_for_stop(self, asker: Asker) -> None:
        self.stop_asked(asker)

    def _shared(self) -> WorkerMemory | None:
        """Return the memory shared with the replicas, made for the first of them."""
        if self._memory is None:
            self._memory = shared_memory()
        return self._memory

    def _follow(self) -> None:
        """Lead to what is served now, and say so."""
        self._doors.lead()
        self._jobs.follow()
        self._operations.changed()

    # --- words -----------------------------------------------------------------------------

    def describe(self) -> list[str]:
        """Return a line for each route: what answers there, in how many copies, on what."""
        return described(self.applications)

    def status(self) -> dict[str, Any]:
        """Return what /-/health tells."""
        status = status_of(self.driver)
        return {
            "status": status.state,
            "applications": self.applications.status(),
            "deployments": status.deployments,
        }


def _tell(reload: asyncio.Task[None]) -> None:
    error = None if reload.cancelled() else reload.exception()
    if error is None:
        log.info("reload: the new code serves")
    else:
        told = getattr(error, "traceback", "").rstrip()
        log.error("reload failed, and what was served goes on: %s\n%s", error, told)


async def run_until_stopped(service: Service, sock: socket.socket) -> None:
    """Open, wait until it is ready and then until it is stopped. Raises SetupFailed."""
    await service.open(sock)
    try:
        await service.ready
    except SetupFailed:
        service.stop(0.0)
        await asyncio.wait_for(service.closed(), CLOSING_S)
        raise
    except asyncio.CancelledError:
        if not service.ready.cancelled():
            raise
    with contextlib.suppress(asyncio.CancelledError):
        await service.closed()
