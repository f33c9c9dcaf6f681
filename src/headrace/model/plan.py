"""A model class, read: all a replica needs to know to run it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal

from headrace.errors import ImpossibleStep
from headrace.model.api import Model, Report, install_report
from headrace.model.calls import Call
from headrace.model.checks import Streams
from headrace.model.codec import Reader
from headrace.model.deployment import Options
from headrace.model.group import Open, OpenAsync, Recipe
from headrace.model.making import make
from headrace.model.stepping import open_with
from headrace.model.steps import Run, RunAsync

Layout = Literal["sync", "async"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to call, made once at load.

    `layout` is "async" if any hook of a request is `async def`; `wants_head` asks the worker to
    send the request line and headers along. `run` (layout sync) and `run_async` (both layouts)
    answer every envelope with one reply, in order, and let no Exception out; a BaseException
    passes and ends the call.
    """

    name: str
    target: type[Model]
    options: Options
    layout: Layout
    batched: bool
    wants_head: bool
    run: Run
    run_async: RunAsync
    begin: Call | None
    """How `setup` is called with the device, if there is one."""
    streams: Streams = ""
    recipe: Recipe | None = None
    """How its streams are made; `run` and `run_async` wait for the whole of each."""
    read: Reader | None = None
    """Reads a body as the annotations say, and runs nothing of the model."""

    def open(self, model: object) -> Open:
        """Give what begins the streams of a model of layout sync."""
        return open_with(self.streams, self._recipe(), model)

    def open_async(self, model: object) -> OpenAsync:
        """Give what begins the streams of a model of either layout."""
        from headrace.model import stepping_async  # noqa: PLC0415 - asyncio, for those who need it

        return stepping_async.open_with(self.streams, self._recipe(), model)

    def _recipe(self) -> Recipe:
        if self.recipe is None:
            raise ImpossibleStep(f"{self.name} does not stream")
        return self.recipe

    def make(self, arguments: bytes = b"") -> Model:
        """Make the model object, with packed arguments; what its `__init__` raises passes."""
        made: Model = make(self.target, arguments)
        return made

    def setup(self, model: Model, device: str, report: Report) -> Awaitable[None] | None:
        """Run `setup`, giving an awaitable where it is `async def`; what it raises passes."""
        install_report(model, report)
        return None if self.begin is None else _awaitable(self.begin(model, device, None))

    def teardown(self, model: Model) -> Awaitable[None] | None:
        """Run `teardown`, giving an awaitable where it is `async def`; what it raises passes."""
        hook = getattr(model, "teardown", None)
        return None if hook is None else _awaitable(hook())

    def health(self, model: Model) -> bool | Awaitable[bool]:
        """Ask `health`; what it raises passes. A hook that returns None has found nothing wrong."""
        hook = getattr(model, "health", None)
        if hook is None:
            return True
        verdict = hook()
        return _healthy_later(verdict) if isinstance(verdict, Awaitable) else _healthy(verdict)


def _awaitable(result: object) -> Awaitable[None] | None:
    return result if isinstance(result, Awaitable) else None


def _healthy(verdict: object) -> bool:
    return verdict is None or bool(verdict)


async def _healthy_later(verdict: Awaitable[object]) -> bool:
    return _healthy(await verdict)
