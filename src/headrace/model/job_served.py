"""The functions of a program that run as jobs, as deployments: those of one shape share replicas.

A function may be `async def` or not, and give one value or items one by one. These four are run in
different ways, so each has replicas of its own; they are loaded when the first job comes, and go
when there was none for a while. To its application each is a deployment that only jobs reach.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from headrace.model.application import Application
from headrace.model.deployment import Options, with_options
from headrace.model.hooks import compile_plan
from headrace.model.job import JobFunction, functions_here
from headrace.model.job_body import class_of
from headrace.model.served import Served
from headrace.model.source import fetch

IDLE_UNLOAD_S = 300.0
USUAL = Options(timeout_s=None, load="lazy", idle_unload_s=IDLE_UNLOAD_S, retry_on_crash=False)
NAMES = {
    (False, False): "jobs",
    (False, True): "jobs-streams",
    (True, False): "jobs-async",
    (True, True): "jobs-async-streams",
}
"""What deployments of functions go by: whether these are `async def`, whether they give items."""


def with_jobs(applications: Sequence[Application]) -> list[Application]:
    """Let the first application have the functions that run as jobs, if there are any.

    Where there is no application, they are one. Raises ConfigError for a mistake in one of them.
    """
    found = job_deployments(functions_here())
    if not found:
        return list(applications)
    if not applications:
        return [Application(deployments=found)]
    first, *others = applications
    return [replace(first, deployments=[*first.deployments, *found]), *others]


def job_deployments(functions: Sequence[JobFunction]) -> list[Served]:
    """Describe functions as deployments. Raises ConfigError, and TargetError where one is gone."""
    shapes: dict[tuple[bool, bool], list[JobFunction]] = {}
    for each in functions:
        shapes.setdefault(_shape(fetch(each.source)), []).append(each)
    return [_served(*shape, shapes[shape]) for shape in sorted(shapes)]


def job_again(served: Served, functions: Sequence[JobFunction]) -> Served:
    """Describe a deployment of functions anew, of all that there are by now."""
    for each in job_deployments(functions):
        if _usual_name(each) == _usual_name(served):
            options = with_options(USUAL, served.changes)
            return replace(each, name=served.name, options=options, changes=served.changes)
    return replace(served, functions=[])


def _usual_name(served: Served) -> str:
    return NAMES[served.layout == "async", bool(served.streams)]


def _shape(function: Callable[..., Any]) -> tuple[bool, bool]:
    is_async_items = inspect.isasyncgenfunction(function)
    is_async = is_async_items or inspect.iscoroutinefunction(function)
    return is_async, is_async_items or inspect.isgeneratorfunction(function)


def _served(is_async: bool, streams: bool, functions: list[JobFunction]) -> Served:  # noqa: FBT001 - a shape
    for each in functions:
        compile_plan(class_of(fetch(each.source)), USUAL)  # a mistake is told at the start
    return Served(
        NAMES[is_async, streams],
        functions[0].source,
        USUAL,
        "async" if is_async else "sync",
        batched=False,
        wants_head=True,
        streams="each" if streams else "",
        kind="job",
        is_root=False,
        functions=functions,
    )
