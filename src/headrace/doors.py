"""Which path leads to which deployment: an endpoint for each, led anew at every switch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from headrace._version import __version__
from headrace.applications import Applications
from headrace.core.jobs import JobId
from headrace.generation import Generation
from headrace.host.connection import Lane
from headrace.host.settings import Settings
from headrace.http.app import FrontDoor
from headrace.http.around import has_around
from headrace.http.body import Pace, Paced
from headrace.http.endpoints import ModelEndpoint
from headrace.http.ingress import IngressEndpoint, Leads, Ways
from headrace.http.jobs_doors import OURS as OWN_PAGES
from headrace.http.jobs_doors import JobDoors
from headrace.http.messages import App
from headrace.http.openapi import document
from headrace.http.openapi_jobs import with_jobs
from headrace.http.patience import PatientEndpoint
from headrace.http.routing import OURS, ROOT
from headrace.jobs.jobs import Jobs
from headrace.memory.worker import WorkerMemory
from headrace.model.description import Description
from headrace.runtime.driver import Driver
from headrace.runtime.feeding import Feeding
from headrace.runtime.metrics import Endings


class Doors:
    """The endpoints of a server, behind its front door."""

    def __init__(
        self,
        applications: Applications,
        settings: Settings,
        driver: Driver,
        memory: Callable[[], WorkerMemory | None],
        jobs: Jobs | None = None,
    ) -> None:
        """Lead nowhere yet; `memory` is shared with the replicas, made when it is first asked.

        With `jobs`, every route takes some.
        """
        self._applications, self._settings = applications, settings
        self._driver, self._memory = driver, memory
        self.front = FrontDoor({}, {}, (), root_path=settings.root_path)
        self.ours: Mapping[str, App] = {}
        """What the server itself answers, by path."""
        self.routes: dict[str, str] = {}
        """The label of the deployment behind each path."""
        self.endings: dict[str, Endings] = {}
        self._endpoints: dict[str, ModelEndpoint | PatientEndpoint | IngressEndpoint] = {}
        limits = settings.limits()
        self._pace = Pace(limits.body_idle_timeout_s, limits.min_body_bytes_per_s)
        self._ways = Ways(self._pace, not has_around(settings), settings.debug)
        self._feeding = Feeding(driver)
        self._jobs = None if jobs is None else JobDoors(jobs, settings, self._pace)

    def close(self, labels: Collection[str]) -> None:
        """Answer for these deployments no more, until `lead` says where to."""
        for label in self._endpoints.keys() & set(labels):
            self._endpoints[label].close()

    def lead(self) -> None:
        """Let every route lead to what is served; nothing is in between."""
        present = self._applications.present.values()
        there = {
            each.application.label(name): (each, name)
            for each in present
            for name, served in each.served.items()
            if served.kind != "job"  # no request reaches it
        }
        for label in self._endpoints.keys() - there.keys():
            self._endpoints.pop(label).close()
        for label, (generation, name) in there.items():
            self._lead_one(label, generation, name)
        self.routes.clear()
        self.routes.update(self._applications.routes)
        endpoints = {route: self._endpoints[label] for route, label in self.routes.items()}
        models = {r: each for r, each in endpoints.items() if not isinstance(each, IngressEndpoint)}
        below: dict[str, App] = {
            r: each for r, each in endpoints.items() if isinstance(each, IngressEndpoint)
        }
        paced: dict[str, App] = {
            route: Paced(endpoint, self._pace) for route, endpoint in models.items()
        }
        lanes: dict[str, Lane] = {
            route: models[route]
            for route, label in self.routes.items()
            if not there[label][0].served[there[label][1]].streams
        }
        ours = self.ours if ROOT not in below else _without_aliases(self.ours)
        pages = {} if self._jobs is None else self._lead_jobs(self._jobs, paced, below)
        self.front.switch({**ours, **paced}, lanes, tuple(endpoints), below, pages)

    def _lead_jobs(
        self, doors: JobDoors, models: dict[str, App], below: dict[str, App]
    ) -> Mapping[str, App]:
        """Have every route take jobs; return where they are told of."""
        pages = doors.pages([*models, *below], below)
        for routes in (models, below):
            for route, app in routes.items():
                label = self.routes[route]
                deferred = doors.deferred(
                    app, route, self.endings[label], is_prefix=routes is below
                )
                endpoint, routes[route] = self._endpoints[label], deferred
                if not isinstance(endpoint, IngressEndpoint):
                    endpoint.deferred = deferred
        return pages

    def job_url(self, job: JobId) -> str:
        """Return where a job is told of, below the server's address."""
        base = OWN_PAGES if self._jobs is None else self._jobs.base
        return f"{self._settings.root_path}{base}/{job}"

    def let_go(self) -> None:
        """Let nobody wait for a job any longer."""
        if self._jobs is not None:
            self._jobs.let_go()

    def _lead_one(self, label: str, new: Generation, name: str) -> None:
        memory = self._memory() if new.served[name].options.executor == "process" else None
        region = None if memory is None else memory.region
        to, limits, traits = new.ids[name], new.limits(name), new.traits(name)
        is_model = traits.kind == "model"
        before = self._endpoints.get(label)
        if before is not None and is_model is not isinstance(before, IngressEndpoint):
            before.lead_to(to, limits=limits, traits=traits, region=region)
            return
        if before is not None:
            before.close()
        endings = self.endings.setdefault(label, Endings())
        if not is_model:
            leads = Leads(to, limits, traits, region)
            self._endpoints[label] = IngressEndpoint(
                self._driver, self._feeding, endings, self._ways, to=leads
            )
            return
        endpoint = ModelEndpoint(
            self._driver, to, endings, limits=limits, traits=traits, region=region
        )
        self._endpoints[label] = PatientEndpoint(endpoint) if self._settings.debug else endpoint

    def document(self) -> dict[str, Any]:
        """Write the OpenAPI of the models; what else there is tells of itself, below its prefix."""
        descriptions: dict[str, Description] = {}
        locked: list[str] = []
        for generation in self._applications.present.values():
            label = generation.application.label
            models = {n: each for n, each in generation.served.items() if each.kind == "model"}
            descriptions |= {label(n): each.description for n, each in models.items()}
            locked += [label(name) for name in generation.keys]
        routes = {route: label for route, label in self.routes.items() if label in descriptions}
        told = document(routes, descriptions, __version__, locked)
        return told if self._jobs is None else with_jobs(told, self._jobs.base)


def _without_aliases(ours: Mapping[str, App]) -> dict[str, App]:
    """Leave out the bare names: an application that is mounted at `/` has all paths but `/-/`."""
    return {path: endpoint for path, endpoint in ours.items() if path.startswith(OURS)}
