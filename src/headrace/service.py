"""One server in one event loop: replicas, engine, front door and listening socket, put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from headrace._version import __version__
from headrace.core.batching import BatchPolicy
from headrace.core.engine import Engine
from headrace.core.messages import DeploymentId, ReplicaId, Why
from headrace.core.records import Policy
from headrace.errors import SetupFailed
from headrace.executors.inline import InlineReplica
from headrace.executors.process import ProcessReplica
from headrace.host import logs
from headrace.host.devices import place
from headrace.host.listening import Listening
from headrace.host.settings import Settings
from headrace.host.tls import context_of
from headrace.http.app import FrontDoor
from headrace.http.around import surrounded
from headrace.http.body import Pace, Paced
from headrace.http.endpoints import Limits, ModelEndpoint, Traits
from headrace.http.keys import Keys
from headrace.http.messages import App
from headrace.http.openapi import document
from headrace.http.operations import Operations
from headrace.http.patience import PatientEndpoint
from headrace.http.reception import access_log_of, received
from headrace.interfaces import Replica
from headrace.memory.worker import shared_memory
from headrace.model.envelope import Envelope
from headrace.model.faults import debugging
from headrace.model.served import Served, assign_routes
from headrace.replica.frames import Load
from headrace.runtime.checked import CheckedEngine
from headrace.runtime.driver import Driver, Watcher
from headrace.runtime.metrics import Endings
from headrace.runtime.status import status_of

log = logging.getLogger("headrace.server")
CLOSING_S = 10.0


class Service(Watcher):
    """A server's life: `open`, `ready`, `stop`, `closed`."""

    def __init__(self, deployments: Sequence[Served], settings: Settings) -> None:
        """Put it together, inside the event loop that will run it."""
        loop = asyncio.get_running_loop()
        if settings.debug:
            deployments = [_to_debug(served) for served in deployments]
        self._served = {served.name: served for served in deployments}
        self._settings = settings
        self.routes = assign_routes(list(deployments))
        engine = CheckedEngine() if settings.debug else Engine()
        self.driver = Driver(engine, dict.fromkeys(self._served, self._start_replica))
        self.driver.watcher = self
        self.ready: asyncio.Future[None] = loop.create_future()
        self._drained: asyncio.Future[None] = loop.create_future()
        self._last_words: dict[str, str] = {}
        self._devices: dict[str, str] = {}
        self._too_slow: dict[ReplicaId, asyncio.TimerHandle] = {}
        self._seats: dict[ReplicaId, int] = {}
        self._http: list[Listening] = []
        self._keys = _keys_of(deployments, settings)
        apart = any(served.options.executor == "process" for served in deployments)
        self._memory = shared_memory() if apart else None
        self._access = access_log_of(settings)
        self.app: App = received(surrounded(self._front_door(), settings), settings, self._access)

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
        for served in self._served.values():
            self.driver.deploy(DeploymentId(served.name), _policy(served))

    def stop(self, grace_s: float | None = None) -> None:
        """Refuse new requests, let the others end; a second call hurries."""
        if not self.ready.done():
            self.ready.cancel()
        self.driver.stop(self._settings.graceful_timeout_s if grace_s is None else grace_s)
        for listening in self._http:
            listening.let_go()

    async def closed(self) -> None:
        """Return when nothing is left: no request, no replica, no socket."""
        await self._drained
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

    # --- what the driver tells -------------------------------------------------------------

    def replica_ready(self, replica: ReplicaId) -> None:
        """See `Watcher`."""
        self._forget_timer(replica)
        log.debug("%s is ready", replica)
        if not self.ready.done() and status_of(self.driver).is_ready:
            self.ready.set_result(None)

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """See `Watcher`."""
        self._forget_timer(replica)
        self._seats.pop(replica, None)
        self._last_words[replica.rpartition("/")[0]] = words
        if why is not Why.ASKED and self.ready.done():
            log.warning("replica %s %s", replica, words.strip())

    def replica_said(self, replica: ReplicaId, line: str) -> None:
        """See `Watcher`."""
        print(f"[{replica}] {line}", file=sys.stderr)

    def given_up(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        if not self.ready.done():
            message, _, traceback = self._last_words[deployment].partition("\n")
            error = SetupFailed(f"{deployment} could not start: {message}", traceback=traceback)
            self.ready.set_exception(error)

    def drained(self) -> None:
        """See `Watcher`."""
        if not self._drained.done():
            self._drained.set_result(None)

    # --- parts -----------------------------------------------------------------------------

    def _front_door(self) -> FrontDoor:
        endings = {name: Endings() for name in self._served}
        models = {
            route: self._model_endpoint(self._served[name], endings[name])
            for route, name in self.routes.items()
        }
        described = {name: served.description for name, served in self._served.items()}
        write = partial(document, self.routes, described, __version__, tuple(self._keys))
        operations = Operations(self.driver, endings, self.routes, __version__, write)
        limits = self._settings.limits()
        pace = Pace(limits.body_idle_timeout_s, limits.min_body_bytes_per_s)
        paced = {route: Paced(endpoint, pace) for route, endpoint in models.items()}
        lanes = {
            route: models[route]
            for route, name in self.routes.items()
            if not self._served[name].streams
        }
        return FrontDoor({**operations.endpoints(), **paced}, lanes, tuple(models))

    def _model_endpoint(self, served: Served, endings: Endings) -> ModelEndpoint | PatientEndpoint:
        options = served.options
        limits = Limits(
            _timeout_s(served),
            options.max_body_bytes or self._settings.max_body_bytes,
            self._keys.get(served.name),
        )
        deployment = DeploymentId(served.name)
        memory = self._memory if options.executor == "process" else None
        endpoint = ModelEndpoint(
            self.driver,
            deployment,
            endings,
            limits=limits,
            traits=Traits(served.wants_head, bool(served.streams)),
            region=None if memory is None else memory.region,
        )
        return PatientEndpoint(endpoint) if self._settings.debug else endpoint

    def _start_replica(self, deployment: DeploymentId, replica: ReplicaId) -> Replica[Envelope]:
        served = self._served[deployment]
        loop = asyncio.get_running_loop()
        in_all = sum(each.options.replicas for each in self._served.values())
        placement = place(served.options, self._take_seat(replica), in_all)
        self._devices[deployment] = placement.device
        options = replace(served.options, api_keys=None)  # no replica has a use for them
        load = Load(served.name, replica, served.source, options, placement.device)
        timeout_s = served.options.startup_timeout_s
        if not self._settings.debug:
            self._too_slow[replica] = loop.call_later(timeout_s, self._end_slow_start, replica)
        if served.options.executor == "inline":
            return InlineReplica(load, self.driver)
        arena = None if self._memory is None else self._memory.arena
        return ProcessReplica(load, placement.environment, self.driver, arena)

    def _take_seat(self, replica: ReplicaId) -> int:
        """Return the lowest number that no replica of its deployment has: that GPU is free."""
        name = replica.rpartition("/")[0]
        taken = {seat for other, seat in self._seats.items() if other.rpartition("/")[0] == name}
        seat = self._seats[replica] = min(set(range(len(taken) + 1)) - taken)
        return seat

    def _end_slow_start(self, replica: ReplicaId) -> None:
        served = self._served[replica.rpartition("/")[0]]
        words = f"was not ready after startup_timeout_s={served.options.startup_timeout_s:g}"
        self.driver.replicas[replica].kill(Why.SETUP, words)

    def _forget_timer(self, replica: ReplicaId) -> None:
        timer = self._too_slow.pop(replica, None)
        if timer is not None:
            timer.cancel()

    # --- words -----------------------------------------------------------------------------

    def describe(self) -> list[str]:
        """Return a line for each route: what answers there, in how many copies, on what."""
        lines = []
        for route, name in self.routes.items():
            options = self._served[name].options
            copies = f"{options.replicas} replica{'s' if options.replicas != 1 else ''}"
            device = self._devices.get(name, "cpu")
            lines.append(f"  POST {route}  {name}: {copies} on {device}")
        return lines

    def status(self) -> dict[str, Any]:
        """Return what /-/health tells."""
        status = status_of(self.driver)
        return {"status": status.state, "deployments": status.deployments}


def _keys_of(deployments: Sequence[Served], settings: Settings) -> dict[str, Keys]:
    """Return the keys of those deployments that have some. Raises ConfigError."""
    asked = {served.name: served.options.api_keys for served in deployments}
    keys = {
        name: Keys(own, f"{name}: deployment option `api_keys`")
        for name, own in asked.items()
        if own is not None
    }
    if settings.api_keys is not None and None in asked.values():
        common = Keys(settings.api_keys, "setting `api_keys`")
        keys |= {name: common for name, own in asked.items() if own is None}
    return keys


def _timeout_s(served: Served) -> float:
    """Return how long a request may take in all."""
    options = served.options
    timeout_s = options.stream_timeout_s if served.streams else options.timeout_s
    return float("inf") if timeout_s is None else timeout_s


def _to_debug(served: Served) -> Served:
    """Return a deployment whose code a debugger can stop, for as long as it takes."""
    endless = replace(served.options, timeout_s=None, stream_timeout_s=None)
    options = replace(endless, executor="inline", replicas=1)
    return msgspec.structs.replace(served, options=options)


def _batches(served: Served) -> BatchPolicy:
    if not served.batched:
        return BatchPolicy(served.batch_size)
    options = served.options
    return BatchPolicy(served.batch_size, options.batch_wait_s, options.batch_latency_target_s)


def _policy(served: Served) -> Policy:
    options = served.options
    stops = options.interruptible and options.executor == "process"
    return Policy(
        replicas=options.replicas,
        batch=_batches(served),
        max_queued=options.max_queued_requests,
        max_queued_bytes=options.max_queued_bytes,
        slots=served.slots,
        retry_on_crash=options.retry_on_crash,
        item_timeout_s=options.timeout_s if served.streams else None,
        send_ahead=not served.streams,
        cancel_grace_s=options.cancel_grace_s if stops else None,
    )


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
