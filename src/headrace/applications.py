"""Which applications a server has: one is added, replaced or taken away while the others go on.

Every change is a few steps, each from a generation of an application to the next one: what is new
is loaded, then the front door leads to all of it from one request to the next, then what is old
ends what it has. A step that fails before that changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from headrace.core.messages import DeploymentId, ReplicaId
from headrace.core.records import Pool
from headrace.errors import ConfigError, StartError
from headrace.generation import FIRST, Around, Generation
from headrace.host.devices import cores
from headrace.host.settings import Settings
from headrace.memory.worker import WorkerMemory
from headrace.model.application import Application, routes_of, way_to
from headrace.model.changing import STAYS, changes
from headrace.model.names import did_you_mean
from headrace.model.replicas import range_of
from headrace.runtime.checkups import Checkups
from headrace.runtime.driver import Driver, Starter
from headrace.runtime.loader import Loader, check_budget, when_loaded
from headrace.runtime.reconfiguring import Reconfiguring
from headrace.runtime.status import in_all, pool_state
from headrace.runtime.turns import Turns
from headrace.steps import Step, loaded, tell_configs

Read = Callable[[], Awaitable[Sequence[Application]]]
"""Reads the code again. Raises StartError."""


class Applications:
    """Their life: `open`, then `reload`, `deploy` and `delete` as often as one likes, `close`."""

    def __init__(
        self,
        applications: Sequence[Application],
        settings: Settings,
        loader: Loader,
        starters: dict[str, Starter],
        driver: Driver,
        memory: Callable[[], WorkerMemory | None],
    ) -> None:
        """Make the first generation of each, within the event loop. Raises ConfigError."""
        self._settings, self._driver = settings, driver
        self._loader, self._starters = loader, starters
        Checkups(driver)
        self._around = Around(settings, driver, memory, Reconfiguring(driver), self._in_all)
        self.routes = routes_of(applications)
        """The label of the deployment behind each path."""
        self.switched: Callable[[], None] = lambda: None
        """Called when `present` is another: the front door is to follow."""
        self.closing: Callable[[Collection[str]], None] = lambda _: None
        """Called with labels of deployments that nobody answers for until further notice."""
        self.is_open, self._is_closed = False, False
        self._check(applications)
        self.present = {each.name: Generation(FIRST, each, self._around) for each in applications}
        self._by_deployment: dict[str, Generation] = {}
        self._coming: dict[str, Generation] = {}
        self._faults: dict[str, str] = {}
        self._newest = FIRST
        self._turns = Turns()

    def open(self) -> None:
        """Begin to load what is served from the first."""
        for generation in self.present.values():
            self._begin(generation, {})
        self._driver.roster.switch(self._serving())

    def close(self) -> None:
        """Change nothing any more; what is under way ends."""
        self._is_closed = True
        self._turns.cancel()

    async def closed(self) -> None:
        """Wait until no change is under way."""
        await self._turns.closed()

    # --- changes ---------------------------------------------------------------------------

    async def reload(self, read: Read | None, given: Sequence[Application] = ()) -> None:
        """Serve `given`, or what the code is by now; return when it serves.

        One at a time: whoever asks while one runs gets the next, and shares it with all who wait
        for it too. Raises StartError; then what was served still is.
        """
        work = partial(self._reload, read, given)
        await self._turn("reload", self._turns.share if read else self._turns.alone, work)

    async def deploy(self, applications: Sequence[Application]) -> None:
        """Add applications, or put them in place of those of their names; return when all serve.

        Only what differs is replaced. Raises StartError; then what was served still is.
        """
        await self._turn("deploy", self._turns.alone, partial(self._deploy, applications))

    async def delete(self, names: Sequence[str]) -> None:
        """Take applications away; return when nothing leads to them. Raises ConfigError."""
        await self._turn("delete", self._turns.alone, partial(self._delete, names))

    async def reconfigure(self, label: str, config: Any) -> None:
        """Give a deployment's replicas a new `user_config`. Raises StartError."""
        work = partial(self._reconfigure, label, config)
        await self._turn("reconfigure", self._turns.alone, work)

    async def _reconfigure(self, label: str, config: Any) -> None:
        found = {
            each.application.label(name): (each, name)
            for each in self.present.values()
            for name in each.served
        }
        if label not in found:
            hint = did_you_mean(label, found) or f"; there are: {', '.join(found)}"
            raise ConfigError(f"there is no deployment {label!r}{hint}")
        generation, name = found[label]
        await generation.reconfigure(name, config)

    async def _turn(
        self,
        what: str,
        take: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
        work: Callable[[], Awaitable[None]],
    ) -> None:
        async def if_open() -> None:
            if not self.is_open or self._is_closed:
                raise StartError(f"no {what}: the server has not yet started, or is being stopped")
            self._newest += 1
            await work()

        try:
            await take(if_open)
        except asyncio.CancelledError:
            if self._is_closed:
                raise StartError(f"no {what}: the server is being stopped") from None
            raise

    async def _reload(self, read: Read | None, given: Sequence[Application]) -> None:
        present = self._driver.roster.generation
        try:
            wanted = list(given) if read is None else list(await read())
            vanished = [] if read is None else self._other_than(wanted)
            await self._change(wanted, vanished, lambda _: {})
        except StartError as error:
            present.fault = str(error)
            raise
        present.fault = ""

    async def _deploy(self, applications: Sequence[Application]) -> None:
        def kept(new: Application) -> Mapping[str, DeploymentId]:
            if (old := self.present.get(new.name)) is None:
                return {}
            found = changes(old.application, new)
            return {name: old.ids[name] for name, change in found.items() if change in STAYS}

        try:
            await self._change(applications, [], kept)
        except StartError as error:
            self._faults |= {each.name: str(error) for each in applications}
            raise

    async def _delete(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.present and name not in self._faults:
                hint = did_you_mean(name, self.present)
                others = f"; there are: {', '.join(self.present)}" if self.present else ""
                raise ConfigError(f"there is no application {name!r}{hint or others}")
        there = [self.present[name] for name in names if name in self.present]
        if there:
            await self._change([], there, lambda _: {})
        for name in names:
            self._faults.pop(name, None)

    async def _change(
        self,
        wanted: Sequence[Application],
        unwanted: Sequence[Generation],
        kept: Callable[[Application], Mapping[str, DeploymentId]],
    ) -> None:
        gone = {generation.application.name for generation in unwanted}
        after = {name: each.application for name, each in self.present.items() if name not in gone}
        self._check({**after, **{each.name: each for each in wanted}}.values())
        steps = [Step(generation, None) for generation in unwanted]
        for each in wanted:
            new = Generation(self._newest, each, self._around, kept(each))
            steps.append(Step(self.present.get(each.name), new))
            self._coming[each.name] = new
        try:
            is_first = self._settings.reload == "stop_first"
            await (self._replace_after if is_first else self._replace_beside)(steps)
        finally:
            for each in wanted:
                del self._coming[each.name]
        for step in steps:
            self._faults.pop(step.name, None)

    async def _replace_beside(self, steps: Sequence[Step]) -> None:
        """Load the new ones, then let them serve; the old ones end what they have."""
        news = [step.new for step in steps if step.new is not None]
        try:
            for step in steps:
                if step.new is not None:
                    self._begin(step.new, {} if step.old is None else step.old.awake())
            await loaded(news)
            await tell_configs(steps)
        except BaseException:
            for new in news:
                new.retire(0.0)
            raise
        for step in steps:
            step.adopt()
        self._switch(steps)
        for step in steps:
            if step.old is not None:
                step.old.retire(self._settings.reload_timeout_s)

    async def _replace_after(self, steps: Sequence[Step]) -> None:
        """End the old ones, then load the new ones: there is no memory for both.

        Requests are refused meanwhile, as at a start. If a new one fails there is nothing to go
        back to, for the old code is not on the disk any more: what is ready of it serves.
        """
        await tell_configs(steps)
        awake = {step.name: step.old.awake() for step in steps if step.old is not None}
        for step in steps:
            step.adopt()
        olds = [step.old for step in steps if step.old is not None]
        self.closing([old.application.label(name) for old in olds for name in old.ids])
        for old in olds:
            old.retire(self._settings.graceful_timeout_s)
        for old in olds:
            await old.gone
        news = [step.new for step in steps if step.new is not None]
        for new in news:
            self._begin(new, awake.get(new.application.name, {}))
        self._switch(steps)
        await loaded(news)

    def _begin(self, new: Generation, awake: Mapping[str, int]) -> None:
        fresh = new.fresh
        for deployment in fresh:
            self._by_deployment[deployment] = new
            self._starters[deployment] = new.start_replica
        new.deploy(awake)
        self._loader.follow(fresh)

    def _switch(self, steps: Iterable[Step]) -> None:
        """Let the front door lead to the new ones from one request to the next."""
        for step in steps:
            if step.new is None:
                del self.present[step.name]
                continue
            self.present[step.name] = step.new
            for deployment in step.new.ids.values():
                self._by_deployment[deployment] = step.new
                self._starters[deployment] = step.new.start_replica
        self.routes = routes_of(each.application for each in self.present.values())
        self.switched()
        self._driver.roster.switch(self._serving())
        self.note_present()
        for step in steps:
            if step.new is not None:
                step.new.retune()

    def note_present(self) -> None:
        """Remember which generation serves, and since when."""
        present = self._driver.roster.generation
        present.number, present.loaded_at = self._newest, time.time()

    def _check(self, applications: Iterable[Application]) -> None:
        """Raise ConfigError where applications cannot be served together."""
        applications = list(applications)
        routes_of(applications)
        options = [served.options for each in applications for served in each.deployments]
        check_budget(options, self._settings.memory_budget_bytes)

    def _other_than(self, wanted: Iterable[Application]) -> list[Generation]:
        names = {each.name for each in wanted}
        return [each for name, each in self.present.items() if name not in names]

    def _serving(self) -> list[DeploymentId]:
        return [each for generation in self.present.values() for each in generation.ids.values()]

    def _in_all(self) -> int:
        there = {**self.present, **self._coming}.values()
        served = [each for generation in there for each in generation.served.values()]
        return sum(range_of(each.options.replicas, cores()).most for each in served)

    # --- what the driver tells -------------------------------------------------------------

    def of_replica(self, replica: ReplicaId) -> Generation:
        """Return whose replica it is."""
        return self._by_deployment[replica.rpartition("/")[0]]

    def of_deployment(self, deployment: DeploymentId) -> Generation:
        """Return whose deployment it is."""
        return self._by_deployment[deployment]

    def retired(self, deployment: DeploymentId) -> Pool:
        """Forget a deployment of which nothing is left; return what its counters are read from."""
        pool = self._by_deployment.pop(deployment).retired(deployment)
        del self._starters[deployment]
        return pool

    # --- words -----------------------------------------------------------------------------

    def status(self) -> dict[str, dict[str, Any]]:
        """Return how every application is, and why."""
        told = {name: self._told(generation) for name, generation in self.present.items()}
        for name, coming in self._coming.items():
            told.setdefault(name, {"state": "loading", **_place(coming)})
            told[name]["coming"] = {
                "generation": coming.number,
                "loading": [coming.application.label(each) for each in coming.unready],
            }
        for name, fault in self._faults.items():
            told.setdefault(name, {"state": "failed"})
            told[name]["last_deploy_failed"] = fault
        return told

    def _told(self, generation: Generation) -> dict[str, Any]:
        states = {pool_state(pool) for pool in generation.pools.values()}
        return {"state": in_all(states), **_place(generation)}


def _place(generation: Generation) -> dict[str, Any]:
    application = generation.application
    return {
        "route_prefix": application.route_prefix,
        "generation": generation.number,
        "deployments": [application.label(name) for name in generation.served],
    }


LATER = {"lazy": ", loaded when first asked", "scheduled": ", loaded by its timetable"}


def described(applications: Applications, names: Collection[str] = ()) -> list[str]:
    """Return a line for each route of these applications, or of all: what answers, on what."""
    lines = []
    found = {
        each.application.label(name): (each, name)
        for each in applications.present.values()
        for name in each.served
    }
    for route, label in applications.routes.items():
        generation, name = found[label]
        if names and generation.application.name not in names:
            continue
        options = generation.served[name].options
        copies = range_of(options.replicas, cores()).words
        when = LATER.get(when_loaded(options), "")
        where = way_to(generation.served[name], route)
        lines.append(f"  {where}  {label}: {copies} on {generation.device(name)}{when}")
    return lines
