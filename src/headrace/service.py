"""One server in one event loop: generations of models, engine, front door, listening sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from math import inf
from typing import Any

from headrace._version import __version__
from headrace.core.draining import Tally
from headrace.core.engine import Engine
from headrace.core.messages import DeploymentId, ReplicaId, Why
from headrace.errors import SetupFailed, StartError
from headrace.generation import FIRST, Generation
from headrace.host import logs
from headrace.host.audit import Asker
from headrace.host.connection import Lane
from headrace.host.listening import Listening
from headrace.host.redescribing import read_again
from headrace.host.settings import Settings
from headrace.host.tls import context_of
from headrace.http.app import FrontDoor
from headrace.http.around import surrounded
from headrace.http.body import Pace, Paced
from headrace.http.endpoints import ModelEndpoint
from headrace.http.messages import App
from headrace.http.openapi import document
from headrace.http.operations import Operations
from headrace.http.patience import PatientEndpoint
from headrace.http.reception import access_log_of, received
from headrace.http.shutdown import ShutdownApi
from headrace.memory.worker import WorkerMemory, shared_memory
from headrace.model.faults import debugging
from headrace.model.served import Served
from headrace.runtime.checked import CheckedEngine
from headrace.runtime.departure import Departure
from headrace.runtime.driver import Driver, Starter
from headrace.runtime.loader import Loader
from headrace.runtime.metrics import COUNTERS, Endings
from headrace.runtime.status import status_of
from headrace.runtime.turns import Turns
from headrace.runtime.watcher import Watcher

log = logging.getLogger("headrace.server")
CLOSING_S = 10.0
Describe = Callable[[], Awaitable[Sequence[Served]]]
"""Reads the code again. Raises StartError."""


class Service(Watcher):
    """A server's life: `open`, `ready`, `reload` as often as one likes, `stop`, `closed`."""

    def __init__(
        self,
        deployments: Sequence[Served],
        settings: Settings,
        anew: Describe | None = None,
        *,
        shutdown_key: str = "",
    ) -> None:
        """Put it together, inside the event loop that will run it; `anew` reads the target again.

        `shutdown_key` opens the shutdown API, if one was made for this server.
        """
        self._settings, self._anew = settings, anew
        engine = CheckedEngine() if settings.debug else Engine()
        self._starters: dict[str, Starter] = {}
        self.driver = Driver(engine, self._starters)
        self._loader = self.driver.watcher = Loader(self.driver, self)
        engine.budget_bytes = settings.memory_budget_bytes or inf
        self._memory: WorkerMemory | None = None
        self._current = self._made(FIRST, deployments)
        self._generations: dict[str, Generation] = {}
        self._newest = FIRST
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self._current.loaded.add_done_callback(self._tell_if_failed)
        self._drained: asyncio.Future[None] = loop.create_future()
        self._http: list[Listening] = []
        self.routes: dict[str, str] = {}
        self._endings: dict[str, Endings] = {}
        self._endpoints: dict[str, ModelEndpoint | PatientEndpoint] = {}
        self._operations = Operations(
            self.driver, self._endings, self.routes, __version__, self._document
        )
        self.stop_asked: Callable[[Asker], object] = lambda _: self.stop()
        """Called where a client wants the whole server to end."""
        self._departure = Departure(self.driver, self._let_go)
        api = ShutdownApi(settings, shutdown_key, self._departure.live, self._ask_for_stop)
        self._operations.more = api.metrics
        self._ours = self._operations.endpoints() | api.endpoints(is_alone=True)
        self._door = FrontDoor({}, {}, ())
        self._lead_to(self._current)
        self._access = access_log_of(settings)
        self.app: App = received(surrounded(self._door, settings), settings, self._access)
        self._turns = Turns()
        self._is_stopping = False

    # --- life ----------------------------------------------------------------------------

    async def open(self, *socks: socket.socket) -> None:
        """Listen on these sockets, if there are any, and begin to load; `ready` tells the rest."""
        if socks:
            tls = context_of(self._settings)
            limits = self._settings.limits()
            self._http = [Listening(self.app, sock, limits=limits, tls=tls) for sock in socks]
            for listening in self._http:
                await listening.open()
        debugging.set(self._settings.debug)  # the replicas' tasks take it over
        self._deploy(self._current)
        self.driver.roster.switch(self._current.ids.values())
        self._look()  # what is asleep need not be waited for

    def stop(self, grace_s: float | None = None, delay_s: float = 0.0) -> None:
        """Serve on for `delay_s`, refuse new requests, let the rest end; a second call hurries."""
        if not self.ready.done():
            self.ready.cancel()
        self._is_stopping = True
        self._turns.cancel()
        usual_s = self._settings.graceful_timeout_s
        self._departure.ask(usual_s if grace_s is None else grace_s, delay_s)

    def _let_go(self) -> None:
        for listening in self._http:
            listening.let_go()

    @property
    def tally(self) -> Tally:
        """How the stop stands."""
        return self._departure.tally

    async def closed(self) -> None:
        """Return when nothing is left: no request, no replica, no socket."""
        await self._drained
        await self._turns.closed()
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

    # --- reload --------------------------------------------------------------------------

    async def reload(self, deployments: Sequence[Served] | None = None) -> None:
        """Serve these, or what the code is by now; return when they serve.

        One at a time: whoever asks while one runs gets the next, and shares it with all who wait
        for it too. Raises StartError; then what was served still is.
        """
        work = partial(self._reload, deployments)
        try:
            await (self._turns.share(work) if deployments is None else self._turns.alone(work))
        except asyncio.CancelledError:
            if self._is_stopping:
                raise StartError("no reload: the server is being stopped") from None
            raise

    def begin_reload(self) -> None:
        """Reload where nobody but the log hears how that goes."""
        task = asyncio.get_running_loop().create_task(self.reload())
        task.add_done_callback(_tell)

    async def _reload(self, deployments: Sequence[Served] | None) -> None:
        if not self.ready.done() or self._is_stopping:
            raise StartError("no reload: the server has not yet started, or is being stopped")
        present = self.driver.roster.generation
        try:
            self._newest += 1
            new = self._made(self._newest, deployments or await self._described_anew())
            is_first = self._settings.reload == "stop_first"
            await (self._replace_after if is_first else self._replace_beside)(self._current, new)
        except StartError as error:
            present.fault = str(error)
            raise
        present.fault = ""

    async def _described_anew(self) -> Sequence[Served]:
        if self._anew is None:
            return await read_again(list(self._current.served.values()))
        return await self._anew()

    async def _replace_beside(self, old: Generation, new: Generation) -> None:
        """Load the new one, then let it serve; the old one ends what it has."""
        try:
            self._deploy(new, old)
            await new.loaded
        except BaseException:
            new.retire(0.0)
            raise
        self._switch(new)
        old.retire(self._settings.reload_timeout_s)

    async def _replace_after(self, old: Generation, new: Generation) -> None:
        """End the old one, then load the new one: there is no memory for both.

        Requests are refused meanwhile, as at a start. If the new one fails there is nothing to go
        back to, for the old code is not on the disk any more: what is ready of it serves.
        """
        awake = old.awake()
        for endpoint in self._endpoints.values():
            endpoint.close()
        old.retire(self._settings.graceful_timeout_s)
        await old.gone
        self._deploy(new, awake=awake)
        self._switch(new)
        await new.loaded

    def _switch(self, new: Generation) -> None:
        """Let the front door lead to a generation from one request to the next."""
        self._lead_to(new)
        self._current = new
        self.driver.roster.switch(new.ids.values())
        self._operations.changed()
        self._note_present()

    def _note_present(self) -> None:
        present = self.driver.roster.generation
        present.number, present.loaded_at = self._current.number, time.time()

    # --- what the driver tells -------------------------------------------------------------

    def replica_ready(self, replica: ReplicaId) -> None:
        """See `Watcher`."""
        self._generation_of(replica).replica_ready(replica)
        self._look()

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """See `Watcher`."""
        self._generation_of(replica).replica_gone(replica, why, words)

    def replica_said(self, replica: ReplicaId, line: str) -> None:
        """See `Watcher`."""
        print(f"[{replica}] {line}", file=sys.stderr)

    def given_up(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        self._generations[deployment].given_up(deployment)

    def retired(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        pool = self._generations.pop(deployment).retired(deployment)
        del self._starters[deployment]
        self.driver.roster.leave(pool, COUNTERS)

    def drained(self) -> None:
        """See `Watcher`."""
        if not self._drained.done():
            self._drained.set_result(None)

    def _generation_of(self, replica: ReplicaId) -> Generation:
        return self._generations[replica.rpartition("/")[0]]

    def _look(self) -> None:
        """See whether the first generation is ready: some of each of its models."""
        if not self.ready.done() and status_of(self.driver).is_ready:
            self.ready.set_result(None)
            if not self._current.loaded.done():
                self._current.loaded.set_result(None)
            self._note_present()

    def _tell_if_failed(self, loaded: asyncio.Future[None]) -> None:
        error = None if loaded.cancelled() else loaded.exception()
        if error is not None and not self.ready.done():
            self.ready.set_exception(error)

    # --- parts -----------------------------------------------------------------------------

    def _ask_for_stop(self, asker: Asker) -> None:
        self.stop_asked(asker)

    def _made(self, number: int, deployments: Sequence[Served]) -> Generation:
        return Generation(number, deployments, self._settings, self.driver, self._shared)

    def _shared(self) -> WorkerMemory | None:
        """Return the memory shared with the replicas, made for the first of them."""
        if self._memory is None:
            self._memory = shared_memory()
        return self._memory

    def _deploy(
        self,
        new: Generation,
        old: Generation | None = None,
        awake: Collection[str] = (),
    ) -> None:
        for deployment in new.ids.values():
            self._generations[deployment] = new
            self._starters[deployment] = new.start_replica
        new.deploy(awake if old is None else old.awake())
        self._loader.follow(new.pools)

    def _lead_to(self, new: Generation) -> None:
        """Let every route lead to this generation; nothing is in between."""
        if any(served.options.executor == "process" for served in new.served.values()):
            self._shared()
        gone = self._endpoints.keys() - new.served.keys()
        for name in gone:
            self._endpoints.pop(name).close()
        for name in new.served:
            self._lead_one(new, name)
        self.routes.clear()
        self.routes.update(new.routes)
        models = {route: self._endpoints[name] for route, name in new.routes.items()}
        limits = self._settings.limits()
        pace = Pace(limits.body_idle_timeout_s, limits.min_body_bytes_per_s)
        paced = {route: Paced(endpoint, pace) for route, endpoint in models.items()}
        lanes: dict[str, Lane] = {
            route: models[route]
            for route, name in new.routes.items()
            if not new.served[name].streams
        }
        self._door.switch({**self._ours, **paced}, lanes, tuple(models))

    def _lead_one(self, new: Generation, name: str) -> None:
        is_apart = new.served[name].options.executor == "process"
        region = self._memory.region if is_apart and self._memory is not None else None
        to, limits, traits = new.ids[name], new.limits(name), new.traits(name)
        if name in self._endpoints:
            self._endpoints[name].lead_to(to, limits=limits, traits=traits, region=region)
            return
        endings = self._endings.setdefault(name, Endings())
        endpoint = ModelEndpoint(
            self.driver, to, endings, limits=limits, traits=traits, region=region
        )
        self._endpoints[name] = PatientEndpoint(endpoint) if self._settings.debug else endpoint

    def _document(self) -> dict[str, Any]:
        new = self._current
        return document(self.routes, new.described(), __version__, tuple(new.keys))

    # --- words -----------------------------------------------------------------------------

    def describe(self) -> list[str]:
        """Return a line for each route: what answers there, in how many copies, on what."""
        return self._current.describe()

    def status(self) -> dict[str, Any]:
        """Return what /-/health tells."""
        status = status_of(self.driver)
        return {"status": status.state, "deployments": status.deployments}


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
