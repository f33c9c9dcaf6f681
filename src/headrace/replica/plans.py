"""What a replica is to run, read from its order to load; and what runs it on an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

from headrace.model.api import Report
from headrace.model.codec import Reader
from headrace.model.envelope import Envelope, Reply
from headrace.model.hooks import Plan, compile_plan
from headrace.model.job_plan import job_plan
from headrace.model.multiplexed import is_multiplexed
from headrace.model.source import fetch
from headrace.replica.delivery import Reports
from headrace.replica.exchange import Exchange
from headrace.replica.frames import Load, News
from headrace.replica.holding import Begins, Ends, announce, from_any_thread
from headrace.replica.stream_tasks import StreamTasks
from headrace.replica.tasks import Tasks
from headrace.replica.words import Words


class Applied(Protocol):
    """What is known of a plain class, or an application: see `app_plan.AppPlan`.

    Only replicas that run one import what it needs.
    """

    @property
    def layout(self) -> Literal["async"]:
        """It runs on an event loop."""

    @property
    def read(self) -> Reader | None:
        """See `model.plan.Plan`."""

    def make(self, arguments: bytes = b"") -> Any:
        """See `model.plan.Plan`."""

    def setup(self, thing: Any, device: str, report: Report) -> Awaitable[None] | None:
        """See `model.plan.Plan`."""

    def teardown(self, thing: Any) -> Awaitable[None] | None:
        """See `model.plan.Plan`."""

    def health(self, thing: Any) -> bool | Awaitable[bool]:
        """See `model.plan.Plan`."""

    def serve(self, exchange: Exchange) -> Awaitable[Reply]:
        """Answer one request."""


AnyPlan = Plan | Applied


class Running(Protocol):
    """The calls under way in one replica, on its event loop."""

    def begin(self, serial: int, envelopes: Sequence[Envelope]) -> None:
        """Start a call."""

    def give_up_on(self, serial: int, place: int) -> None:
        """Stop what nobody waits for any more."""

    def grant(self, serial: int, place: int, parts: int) -> None:
        """Let so many more parts of an answer leave."""

    async def all_ended(self) -> None:
        """Return when no call is under way."""

    def cancel_all(self) -> None:
        """Cancel every call."""


def plan_of(load: Load) -> AnyPlan:
    """Import what is to be loaded, and read it. Raises TargetError, ConfigError."""
    if load.kind == "job":
        return job_plan(load.functions, load.options)
    target = fetch(load.source)
    if load.kind == "model":
        return compile_plan(target, load.options, is_made_with=bool(load.arguments))
    from headrace.replica.app_plan import AppPlan  # noqa: PLC0415 - see Applied

    return AppPlan(target, load.kind, load.options)


def running(
    plan: AnyPlan,
    thing: Any,
    reports: Reports,
    tell: Callable[[News], None],
    words: Words,
) -> Running:
    """Return what runs its calls, each reported once; `tell` passes news on, `words` come back."""
    if not is_multiplexed(type(thing)):
        return _running(plan, thing, reports, tell, words)
    announce(thing, from_any_thread(tell))
    return Begins(_running(plan, thing, Ends(reports, thing), tell, words), thing)


def _running(
    plan: AnyPlan,
    thing: Any,
    reports: Reports,
    tell: Callable[[News], None],
    words: Words,
) -> Running:
    if isinstance(plan, Plan):
        streams = bool(plan.streams)
        return (
            StreamTasks(plan, thing, reports) if streams else Tasks(plan, thing, reports.finished)
        )
    from headrace.replica.conversations import Conversations  # noqa: PLC0415 - see Applied

    return Conversations(plan.serve, reports, tell, words)
