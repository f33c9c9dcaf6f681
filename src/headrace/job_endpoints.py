"""Which routes and functions run jobs, and on what terms: all of what is served now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf

from headrace.applications import Applications
from headrace.core.jobs import Terms
from headrace.generation import Generation
from headrace.host.settings import Settings
from headrace.interfaces import Timed
from headrace.jobs.endpoints import JobEndpoint
from headrace.jobs.timed import timed
from headrace.jobs.validating import validator
from headrace.memory.arena import Region
from headrace.memory.worker import WorkerMemory
from headrace.model.job import with_changes
from headrace.runtime.validating import Validating


class JobEndpoints:
    """What the present generations of a server have, whenever it is asked."""

    def __init__(
        self,
        applications: Applications,
        settings: Settings,
        validating: Validating,
        memory: Callable[[], WorkerMemory | None],
    ) -> None:
        """`memory` is shared with the replicas, made when it is first asked."""
        self._applications, self._settings = applications, settings
        self._validating, self._memory = validating, memory

    def present(self) -> dict[str, JobEndpoint]:
        """Return those that are there now, by name."""
        there = {
            each.application.label(name): (each, name)
            for each in self._applications.present.values()
            for name in each.served
        }
        found: dict[str, JobEndpoint] = {}
        for route, label in self._applications.routes.items():
            generation, name = there[label]
            found[route] = self._endpoint(route, generation, name)
        for generation, name in there.values():
            found |= {each.name: each for each in self._functions(generation, name)}
        return found

    def timed(self, endpoints: Mapping[str, JobEndpoint]) -> list[Timed]:
        """Return the timetables of those functions that have one."""
        functions = (
            function
            for generation in self._applications.present.values()
            for served in generation.served.values()
            for function in served.functions
        )
        return timed({each.name: each for each in functions}.values(), endpoints)

    def _functions(self, generation: Generation, name: str) -> Iterator[JobEndpoint]:
        for function in generation.served[name].functions:
            plain = self._endpoint(function.endpoint, generation, name, function.name)
            yield replace(plain, terms=with_changes(plain.terms, function.changes))

    def _endpoint(
        self, endpoint: str, generation: Generation, name: str, function: str = ""
    ) -> JobEndpoint:
        served, deployment = generation.served[name], generation.ids[name]
        traits, limits = generation.traits(name), generation.limits(name)
        settings = self._settings
        return JobEndpoint(
            endpoint,
            deployment,
            traits.kind,
            function,
            traits.wants_head,
            traits.streams,
            traits.multiplexed,
            limits.max_body_bytes,
            inf if settings.job_timeout_s is None else settings.job_timeout_s,
            Terms(retention_s=settings.job_retention_s),
            limits.keys,
            self._region(served.options.executor),
            validator(
                self._validating,
                deployment,
                kind=traits.kind,
                function=function,
                most_bytes=limits.max_body_bytes,
            ),
        )

    def _region(self, executor: str) -> Region | None:
        memory = self._memory() if executor == "process" else None
        return None if memory is None else memory.region
