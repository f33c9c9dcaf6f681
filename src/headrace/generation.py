"""One generation of an application: its deployments as they were described, and their replicas.

A reload puts a new generation beside the one that serves, under ids of its own in the same engine:
`embed` is followed by `embed@2`. A deployment that stays as it was goes over from one to the next
with its replicas. Which generation the front door leads to is the service's to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import msgspec

from headrace.core.messages import DeploymentId, ReplicaId, Why
from headrace.core.records import Policy, Pool
from headrace.core.replicas import State
from headrace.errors import ConfigError, ReconfigureFailed, SetupFailed
from headrace.executors.inline import InlineReplica
from headrace.executors.process import ProcessReplica
from headrace.host.devices import place
from headrace.host.settings import Settings
from headrace.http.endpoints import Limits, Traits
from headrace.interfaces import Replica
from headrace.memory.worker import WorkerMemory
from headrace.model.application import Application
from headrace.model.deployment import with_options
from headrace.model.envelope import Envelope
from headrace.model.served import Served
from headrace.replica.frames import Load, Word
from headrace.runtime.driver import Driver
from headrace.runtime.reconfiguring import Reconfiguring
from headrace.terms import keys_of, policy_of, timeout_s, to_debug, with_workers

log = logging.getLogger("headrace.server")
FIRST = 1


@dataclass(frozen=True, slots=True)
class Around:
    """What all generations of a server have in common."""

    settings: Settings
    driver: Driver
    memory: Callable[[], WorkerMemory | None]
    """The memory that is shared with replicas, made when it is first wanted."""
    reconfiguring: Reconfiguring
    """How running replicas hear of a new user_config."""
    in_all: Callable[[], int]
    """How many replicas there are to be, of everything that is served."""


@dataclass(slots=True)
class Crew:
    """What is to be remembered of the replicas of one deployment."""

    seats: dict[ReplicaId, int] = field(default_factory=dict)
    too_slow: dict[ReplicaId, asyncio.TimerHandle] = field(default_factory=dict)
    last_words: str = ""
    device: str = "cpu"

    def take_seat(self, replica: ReplicaId) -> int:
        """Return the lowest number that no other replica has: that GPU is free."""
        taken = set(self.seats.values())
        seat = self.seats[replica] = min(set(range(len(taken) + 1)) - taken)
        return seat

    def forget_timer(self, replica: ReplicaId) -> None:
        """Wait for its start no longer."""
        timer = self.too_slow.pop(replica, None)
        if timer is not None:
            timer.cancel()


class Generation:
    """Its life: `deploy`, `loaded`, `gone`."""

    def __init__(
        self,
        number: int,
        application: Application,
        around: Around,
        kept: Mapping[str, DeploymentId] = MappingProxyType({}),
    ) -> None:
        """Check that it can be served, within the event loop. Raises ConfigError.

        What is `kept` of another generation runs already; `adopt` takes it over.
        """
        if not application.deployments:
            raise ConfigError("nothing to serve: there is no model any more")
        deployments = [with_workers(each, around.settings) for each in application.deployments]
        if around.settings.debug:
            deployments = [to_debug(served) for served in deployments]
        self.number, self.application = number, application
        self.served = {served.name: served for served in deployments}
        self.keys = keys_of(deployments, around.settings)
        mark = "" if number == FIRST else f"@{number}"
        self.ids = {
            name: kept.get(name, DeploymentId(application.label(name) + mark))
            for name in self.served
        }
        self.pools: dict[DeploymentId, Pool] = {}
        self.crews: dict[DeploymentId, Crew] = {}
        self.kept, self._required = kept, list[Pool]()
        loop = asyncio.get_running_loop()
        self.loaded: asyncio.Future[None] = loop.create_future()
        """Done when all of it that is loaded at once is ready, or with why that cannot be."""
        self.gone: asyncio.Future[None] = loop.create_future()
        self._around, self._driver = around, around.driver
        self._names = {deployment: name for name, deployment in self.ids.items()}

    def __repr__(self) -> str:
        return f"<Generation {self.number} of {self.application.name}: {', '.join(self.served)}>"

    @property
    def fresh(self) -> list[DeploymentId]:
        """What of it is not taken over from another generation."""
        return [self.ids[name] for name in self.ids if name not in self.kept]

    @property
    def unready(self) -> list[str]:
        """Which of its deployments it waits for."""
        return [self._names[each.id] for each in self._required if _ready(each) < each.wanted]

    # --- life ----------------------------------------------------------------------------

    def deploy(self, awake: Mapping[str, int] = MappingProxyType({})) -> None:
        """Begin to load what its options ask for at once, and what is to be `awake` anyway.

        Where the number of replicas follows the load, there are as many as there were.
        """
        for name, deployment in self.ids.items():
            if name in self.kept:
                continue
            self._driver.roster.come(deployment, self.application.label(name), self.ids)
            policy = policy_of(self.served[name], self._around.settings)
            self.crews[deployment] = Crew()
            self._driver.deploy(deployment, policy, _at_first(policy, awake.get(name)))
            self.pools[deployment] = self._driver.engine.pools[deployment]
        self._required = [pool for pool in self.pools.values() if pool.wanted]
        self._look()

    def adopt(self, old: Generation) -> None:
        """Take over the replicas of what stays as it was; what is left to the old one may go."""
        for name, deployment in self.kept.items():
            del old.ids[name]
            self.pools[deployment] = old.pools.pop(deployment)
            self.crews[deployment] = old.crews.pop(deployment)
            self._driver.roster.kin[deployment] = self.ids

    def retune(self) -> None:
        """Let what was taken over have the bounds that its options say by now."""
        for name, deployment in self.kept.items():
            policy = policy_of(self.served[name], self._around.settings)
            if policy != self.pools[deployment].policy:
                self._driver.retune(deployment, policy)

    def awake(self) -> dict[str, int]:
        """Return the names of what is loaded, or being loaded, and how many replicas it has."""
        pools = self.pools.items()
        return {self._names[each]: pool.wanted for each, pool in pools if pool.wanted}

    def retire(self, grace_s: float) -> None:
        """Take it out of service; `gone` is done when nothing of it is left."""
        if not self.loaded.done():
            self.loaded.cancel()
        own = [each for each in self.pools if each in self._driver.engine.pools]
        for deployment in own:
            self._driver.retire(deployment, grace_s, own if self._is_graph else ())
        if not self.pools and not self.gone.done():
            self.gone.set_result(None)

    @property
    def _is_graph(self) -> bool:
        """Whether its deployments call one another: then each stays until all have ended."""
        return not all(served.is_root for served in self.served.values())

    async def reconfigure(self, name: str, config: Any) -> None:
        """Give a deployment's replicas a new `user_config`; who is started from now on has it too.

        Raises ConfigError, and ReconfigureFailed where some did not take it: then the one before
        holds for them, and if nobody took it, for those to come as well.
        """
        before = self.served[name]
        if not before.takes_config:
            raise ConfigError(
                f"{self.application.label(name)} takes no user_config: "
                "its class has no `reconfigure(self, config)`"
            )
        options = with_options(before.options, {"user_config": config})
        self._serve_as(msgspec.structs.replace(before, options=options))
        await self.tell_config(name, before)

    async def tell_config(self, name: str, before: Served) -> None:
        """Tell running replicas the `user_config` that is served now; see `reconfigure`."""
        options, deployment = self.served[name].options, self.ids[name]
        tell = self._around.reconfiguring.tell
        told = await tell(deployment, options.user_config, options.startup_timeout_s)
        if not told.faults:
            return
        if not told.took:
            self._serve_as(before)
        whom = "no replica has" if not told.took else "some replicas have not"
        why = "; ".join(f"{replica}: {fault}" for replica, fault in told.faults.items())
        raise ReconfigureFailed(
            f"{whom} taken the new user_config of {self.application.label(name)}, and the one "
            f"before holds there: {why}"
        )

    def _serve_as(self, served: Served) -> None:
        self.served[served.name] = served
        deployments = list(self.served.values())
        self.application = msgspec.structs.replace(self.application, deployments=deployments)

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
        self._crew_of(replica).forget_timer(replica)
        self._around.reconfiguring.replica_ready(replica)
        log.debug("%s is ready", replica)
        self._look()

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """See `Watcher`. Before all of it is loaded, one that falls is enough to give it up."""
        crew = self._crew_of(replica)
        crew.forget_timer(replica)
        crew.seats.pop(replica, None)
        crew.last_words = words
        if why is Why.ASKED:
            return
        if self.loaded.done() or _deployment_of(replica) in self.kept.values():
            log.warning("replica %s %s", replica, words.strip())
        elif self.number != FIRST:
            self.given_up(_deployment_of(replica))

    def given_up(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        message, _, traceback = self.crews[deployment].last_words.partition("\n")
        label = self.application.label(self._names[deployment])
        self.fail(f"{label} could not start: {message}", traceback)

    def retired(self, deployment: DeploymentId) -> Pool:
        """See `Watcher`. Return what its counters are read from."""
        pool = self.pools.pop(deployment)
        del self.crews[deployment]
        if not self.pools and not self.gone.done():
            self.gone.set_result(None)
        return pool

    def start_replica(
        self, deployment: DeploymentId, replica: ReplicaId
    ) -> Replica[Envelope, Word]:
        """Start a replica. Raises OSError."""
        served = self.served[self._names[deployment]]
        loop, crew = asyncio.get_running_loop(), self.crews[deployment]
        placement = place(served.options, crew.take_seat(replica), self._around.in_all())
        crew.device = placement.device
        options = replace(served.options, api_keys=None)  # no replica has a use for them
        load = Load(
            served.name,
            replica,
            served.source,
            options,
            placement.device,
            kind=served.kind,
            arguments=served.arguments,
            functions=served.functions,
        )
        timeout_s = served.options.startup_timeout_s
        if not self._around.settings.debug:
            crew.too_slow[replica] = loop.call_later(timeout_s, self._end_slow_start, replica)
        if served.options.executor == "inline":
            return InlineReplica(load, self._driver)
        memory = self._around.memory()
        arena = None if memory is None else memory.arena
        return ProcessReplica(load, placement.environment, self._driver, arena)

    def _crew_of(self, replica: ReplicaId) -> Crew:
        return self.crews[_deployment_of(replica)]

    def _end_slow_start(self, replica: ReplicaId) -> None:
        served = self.served[self._names[_deployment_of(replica)]]
        words = f"was not ready after startup_timeout_s={served.options.startup_timeout_s:g}"
        self._driver.replicas[replica].kill(Why.SETUP, words)

    # --- words -----------------------------------------------------------------------------

    def limits(self, name: str) -> Limits:
        """Return what the endpoint of a deployment allows."""
        served = self.served[name]
        most = served.options.max_body_bytes or self._around.settings.max_body_bytes
        return Limits(timeout_s(served), most, self.keys.get(name))

    def timeout_s(self, deployment: DeploymentId) -> float:
        """Return how long a request to it may take in all."""
        return timeout_s(self.served[self._names[deployment]])

    def traits(self, name: str) -> Traits:
        """Return what is to be known of a deployment by its endpoint."""
        served = self.served[name]
        options = served.options
        return Traits(
            served.wants_head,
            bool(served.streams),
            served.kind,
            options.retry_on_crash,
            options.cancel_grace_s,
            served.multiplexed,
        )

    def device(self, name: str) -> str:
        """Return what a deployment runs on, as far as that is known."""
        crew = self.crews.get(self.ids[name])
        return "cpu" if crew is None else crew.device


def _deployment_of(replica: ReplicaId) -> DeploymentId:
    return DeploymentId(replica.rpartition("/")[0])


def _at_first(policy: Policy, before: int | None) -> int | None:
    if before is None:
        return None
    return policy.replicas if policy.scale is None else policy.scale.within(before)


def _ready(pool: Pool) -> int:
    return sum(copy.state is State.READY for copy in pool.copies.values())
