"""One generation of models: a set of deployments as their code describes them, and their replicas.

A reload puts a new generation beside the one that serves, under ids of its own in the same engine:
`embed` is followed by `embed@2`. Which of them the front door leads to is the service's to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import msgspec

from headrace.core.batching import BatchPolicy
from headrace.core.messages import DeploymentId, ReplicaId, Why
from headrace.core.records import Policy, Pool
from headrace.core.replicas import State
from headrace.errors import ConfigError, SetupFailed
from headrace.executors.inline import InlineReplica
from headrace.executors.process import ProcessReplica
from headrace.host.devices import place
from headrace.host.settings import Settings
from headrace.http.endpoints import Limits, Traits
from headrace.http.keys import Keys
from headrace.interfaces import Replica
from headrace.memory.worker import WorkerMemory
from headrace.model.description import Description
from headrace.model.envelope import Envelope
from headrace.model.served import Served, assign_routes
from headrace.replica.frames import Load, Word
from headrace.runtime.driver import Driver
from headrace.runtime.loader import check_budget, load_policy

log = logging.getLogger("headrace.server")
FIRST = 1
LATER = {"lazy": ", loaded when first asked", "scheduled": ", loaded by its timetable"}


class Generation:
    """Its life: `deploy`, `loaded`, `gone`."""

    def __init__(
        self,
        number: int,
        deployments: Sequence[Served],
        settings: Settings,
        driver: Driver,
        memory: Callable[[], WorkerMemory | None],
    ) -> None:
        """Check that it can be served, within the event loop. Raises ConfigError."""
        if not deployments:
            raise ConfigError("nothing to serve: there is no model any more")
        if settings.debug:
            deployments = [_to_debug(served) for served in deployments]
        self.number = number
        self.served = {served.name: served for served in deployments}
        self.routes = assign_routes(list(deployments))
        check_budget([served.options for served in deployments], settings.memory_budget_bytes)
        self.keys = _keys_of(deployments, settings)
        mark = "" if number == FIRST else f"@{number}"
        self.ids = {name: DeploymentId(name + mark) for name in self.served}
        self.pools: dict[DeploymentId, Pool] = {}
        self._required: list[Pool] = []
        loop = asyncio.get_running_loop()
        self.loaded: asyncio.Future[None] = loop.create_future()
        """Done when all of it that is loaded at once is ready, or with why that cannot be."""
        self.gone: asyncio.Future[None] = loop.create_future()
        self._settings, self._driver, self._memory = settings, driver, memory
        self._names = {deployment: name for name, deployment in self.ids.items()}
        self._last_words: dict[str, str] = {}
        self._devices: dict[str, str] = {}
        self._too_slow: dict[ReplicaId, asyncio.TimerHandle] = {}
        self._seats: dict[ReplicaId, int] = {}

    def __repr__(self) -> str:
        return f"<Generation {self.number} of {', '.join(self.served)}>"

    # --- life ----------------------------------------------------------------------------

    def deploy(self, awake: Collection[str] = ()) -> None:
        """Begin to load what its options ask for at once, and what is to be `awake` anyway."""
        for name, deployment in self.ids.items():
            self._driver.roster.come(deployment, name)
            policy = _policy(self.served[name], self._settings)
            self._driver.deploy(deployment, policy, policy.replicas if name in awake else None)
            self.pools[deployment] = self._driver.engine.pools[deployment]
        self._required = [pool for pool in self.pools.values() if pool.wanted]
        self._look()

    def awake(self) -> set[str]:
        """Return the names of what is loaded, or being loaded."""
        return {self._names[deployment] for deployment, pool in self.pools.items() if pool.wanted}

    def retire(self, grace_s: float) -> None:
        """Take it out of service; `gone` is done when nothing of it is left."""
        if not self.loaded.done():
            self.loaded.cancel()
        for deployment in self.ids.values():
            if deployment in self._driver.engine.pools:
                self._driver.retire(deployment, grace_s)

    def fail(self, words: str, traceback: str = "") -> None:
        """Give it up, if it is not loaded yet."""
        if not self.loaded.done():
            self.loaded.set_exception(SetupFailed(words, traceback=traceback))

    def _look(self) -> None:
        full = all(_ready(pool) >= pool.wanted for pool in self._required)
        if full and not self.loaded.done():
            self.loaded.set_result(None)

    # --- replicas: see `runtime.driver.Watcher` -------------------------------------------

    def replica_ready(self, replica: ReplicaId) -> None:
        """See `Watcher`."""
        self._forget_timer(replica)
        log.debug("%s is ready", replica)
        self._look()

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """See `Watcher`. Before all of it is loaded, one that falls is enough to give it up."""
        self._forget_timer(replica)
        self._seats.pop(replica, None)
        deployment = replica.rpartition("/")[0]
        self._last_words[deployment] = words
        if why is Why.ASKED:
            return
        if self.loaded.done():
            log.warning("replica %s %s", replica, words.strip())
        elif self.number != FIRST:
            self.given_up(DeploymentId(deployment))

    def given_up(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        message, _, traceback = self._last_words[deployment].partition("\n")
        self.fail(f"{self._names[deployment]} could not start: {message}", traceback)

    def retired(self, deployment: DeploymentId) -> Pool:
        """See `Watcher`. Return what its counters are read from."""
        pool = self.pools.pop(deployment)
        if not self.pools and not self.gone.done():
            self.gone.set_result(None)
        return pool

    def start_replica(
        self, deployment: DeploymentId, replica: ReplicaId
    ) -> Replica[Envelope, Word]:
        """Start a replica. Raises OSError."""
        served = self.served[self._names[deployment]]
        loop = asyncio.get_running_loop()
        in_all = sum(each.options.replicas for each in self.served.values())
        placement = place(served.options, self._take_seat(replica), in_all)
        self._devices[served.name] = placement.device
        options = replace(served.options, api_keys=None)  # no replica has a use for them
        load = Load(
            served.name,
            replica,
            served.source,
            options,
            placement.device,
            kind=served.kind,
            arguments=served.arguments,
        )
        timeout_s = served.options.startup_timeout_s
        if not self._settings.debug:
            self._too_slow[replica] = loop.call_later(timeout_s, self._end_slow_start, replica)
        if served.options.executor == "inline":
            return InlineReplica(load, self._driver)
        memory = self._memory()
        arena = None if memory is None else memory.arena
        return ProcessReplica(load, placement.environment, self._driver, arena)

    def _take_seat(self, replica: ReplicaId) -> int:
        """Return the lowest number that no replica of its deployment has: that GPU is free."""
        name = replica.rpartition("/")[0]
        taken = {seat for other, seat in self._seats.items() if other.rpartition("/")[0] == name}
        seat = self._seats[replica] = min(set(range(len(taken) + 1)) - taken)
        return seat

    def _end_slow_start(self, replica: ReplicaId) -> None:
        served = self.served[self._names[DeploymentId(replica.rpartition("/")[0])]]
        words = f"was not ready after startup_timeout_s={served.options.startup_timeout_s:g}"
        self._driver.replicas[replica].kill(Why.SETUP, words)

    def _forget_timer(self, replica: ReplicaId) -> None:
        timer = self._too_slow.pop(replica, None)
        if timer is not None:
            timer.cancel()

    # --- words -----------------------------------------------------------------------------

    def limits(self, name: str) -> Limits:
        """Return what the endpoint of a deployment allows."""
        served = self.served[name]
        most = served.options.max_body_bytes or self._settings.max_body_bytes
        return Limits(_timeout_s(served), most, self.keys.get(name))

    def traits(self, name: str) -> Traits:
        """Return what is to be known of a deployment by its endpoint."""
        served = self.served[name]
        return Traits(served.wants_head, bool(served.streams))

    def described(self) -> dict[str, Description]:
        """Return what each deployment takes and gives."""
        return {name: served.description for name, served in self.served.items()}

    def describe(self) -> list[str]:
        """Return a line for each route: what answers there, in how many copies, on what."""
        lines = []
        for route, name in self.routes.items():
            options = self.served[name].options
            copies = f"{options.replicas} replica{'s' if options.replicas != 1 else ''}"
            device = self._devices.get(name, "cpu")
            when = LATER.get(options.load, "")
            lines.append(f"  POST {route}  {name}: {copies} on {device}{when}")
        return lines


def _ready(pool: Pool) -> int:
    return sum(copy.state is State.READY for copy in pool.copies.values())


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


def _policy(served: Served, settings: Settings) -> Policy:
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
        load=load_policy(options, waits=settings.while_loading == "wait"),
    )
