"""What a job replica runs: functions of one shape, each found by the name that a request brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from headrace.errors import ImpossibleStep
from headrace.model.api import Model
from headrace.model.deployment import Options
from headrace.model.envelope import Envelope, Reply
from headrace.model.group import Open, OpenAsync
from headrace.model.hooks import Plan, compile_plan
from headrace.model.job import JobFunction
from headrace.model.job_body import class_of
from headrace.model.source import fetch

Found = tuple[Plan, Model]


class Functions(Model):
    """Stands where a replica has its model: the functions are the plan's."""

    def predict(self) -> None:
        """Raise ImpossibleStep: nobody asks for this."""
        raise ImpossibleStep("a job replica runs what a request names")


@dataclass(frozen=True, slots=True)
class JobPlan(Plan):
    """Several plans as one; each request has the one of its function."""

    functions: Mapping[str, Found] = field(default_factory=lambda: MappingProxyType({}))

    def open(self, model: object) -> Open:  # noqa: ARG002 - each function has its own
        """See `Plan`."""
        begins = {name: plan.open(own) for name, (plan, own) in self.functions.items()}
        return lambda envelopes: [
            pair for each in envelopes for pair in begins[_function(each)]([each])
        ]

    def open_async(self, model: object) -> OpenAsync:  # noqa: ARG002 - likewise
        """See `Plan`."""
        begins = {name: plan.open_async(own) for name, (plan, own) in self.functions.items()}
        return lambda envelopes: [
            pair for each in envelopes for pair in begins[_function(each)]([each])
        ]


def job_plan(functions: Sequence[JobFunction], options: Options) -> JobPlan:
    """Import the functions and read them. Raises TargetError, and ConfigError for a mistake."""
    found = {each.name: _found(each, options) for each in functions}
    first = next(iter(found.values()))[0]

    def run(_: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        replies: list[Reply] = []
        for envelope in envelopes:
            plan, own = found[_function(envelope)]
            replies += plan.run(own, [envelope])
        return replies

    async def run_async(_: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        replies: list[Reply] = []
        for envelope in envelopes:
            plan, own = found[_function(envelope)]
            replies += await plan.run_async(own, [envelope])
        return replies

    def read(envelope: Envelope) -> Any:
        own = found[_function(envelope)][0].read
        return None if own is None else own(envelope)

    return JobPlan(
        name="jobs",
        target=Functions,
        options=options,
        layout=first.layout,
        batched=False,
        wants_head=True,
        run=run,
        run_async=run_async,
        begin=None,
        streams=first.streams,
        read=read,
        functions=found,
    )


def _found(function: JobFunction, options: Options) -> Found:
    plan = compile_plan(class_of(fetch(function.source)), options)
    return plan, plan.make()


def _function(envelope: Envelope) -> str:
    return "" if envelope.job is None else envelope.job.function
