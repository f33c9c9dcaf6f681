"""What the server knows of a deployment without importing its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, assert_never

import msgspec
from msgspec import Struct

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.apps import is_app
from headrace.model.care import takes_config, tells_health
from headrace.model.checks import Streams
from headrace.model.concurrency import threads_for
from headrace.model.deployment import Options, options_of
from headrace.model.description import Description, described
from headrace.model.hooks import compile_plan
from headrace.model.job import JobFunction
from headrace.model.kinds import Kind, kind_of, usual_slots, waits
from headrace.model.multiplexed import holds_models
from headrace.model.source import Source, source_of


class Served(Struct, frozen=True):
    """One deployment: its options, where its class is, what its hooks ask for and take."""

    name: str
    source: Source
    options: Options
    layout: str
    batched: bool
    wants_head: bool
    description: Description = Description()
    streams: Streams = ""
    kind: Kind = "model"
    arguments: bytes = b""
    """What it is made with, packed."""
    is_root: bool = True
    """Whether it is what an application shows to the outside; others need a route of their own."""
    changes: dict[str, Any] = {}
    """Options that were changed where it was bound: code that is read again knows nothing of it."""
    tells_health: bool = False
    """Whether its replicas can be asked how they are."""
    takes_config: bool = False
    """Whether they can be told a new `user_config`."""
    multiplexed: bool = False
    """Whether each of them holds models of its own."""
    functions: list[JobFunction] = []
    """Of a deployment of functions that run as jobs, all of them; `source` is the first one's."""

    @property
    def slots(self) -> int:
        """Requests at once in a replica; 0 is one call at a time, the next ones sent ahead."""
        if self.streams == "steps":
            return self.options.max_batch_size
        if self.kind != "model":
            return self.options.max_ongoing_requests or usual_slots(self.kind, self.layout)
        if self.layout == "sync" and self.streams != "each":
            threads = threads_for(self.options, self.layout, self.streams)
            return threads if threads > 1 else 0
        return self.options.max_ongoing_requests or 16

    @property
    def batch_size(self) -> int:
        """The most requests in one call."""
        return self.options.max_batch_size if self.batched else 1

    @property
    def together(self) -> str:
        """How requests share the model's work, and whether their answers are streams, in words."""
        batch = f"batches of up to {self.batch_size}"
        if self.kind != "model":
            return ""
        match self.streams:
            case "":
                return batch if self.batched else ""
            case "each":
                return f"streams, up to {self.slots} at once, each from its own generator"
            case "batch":
                return f"streams, in {batch}, one generator for each batch"
            case "steps":
                return f"streams, up to {self.slots} at once, in common steps (continuous batching)"
            case _:
                assert_never(self.streams)


def describe(
    target: object, options: Options | None = None, *, is_made_with: bool = False
) -> Served:
    """Return what is to be known of a model class, or of any class or function.

    `is_made_with` arguments: else the class must do without. Raises ConfigError if it cannot be
    served.
    """
    if isinstance(target, type) and issubclass(target, Model):
        options = options or options_of(target)
        return _cared_for(_described_model(target, options, is_made_with=is_made_with), target)
    if not (isinstance(target, type) or inspect.isfunction(target) or is_app(target)):
        raise ConfigError(
            f"cannot serve {target!r}: a target is a class derived from headrace.Model, any class "
            "or function that is a deployment, or what hr.bind returns"
        )
    return _cared_for(_described_plain(target, options or options_of(target)), target)


def _cared_for(served: Served, target: Callable[..., Any]) -> Served:
    return msgspec.structs.replace(
        served,
        tells_health=tells_health(target),
        takes_config=takes_config(target, served.options),
        multiplexed=holds_models(target, served.layout),
    )


def _described_model(cls: type[Model], options: Options, *, is_made_with: bool) -> Served:
    source = source_of(cls)  # first: msgspec's notes on a dataclass cannot be pickled
    plan = compile_plan(cls, options, is_made_with=is_made_with)
    return Served(
        options.name or cls.__name__,
        source,
        options,
        plan.layout,
        plan.batched,
        plan.wants_head,
        described(cls),
        plan.streams,
    )


def _described_plain(target: Callable[..., Any], options: Options) -> Served:
    summary, _, text = inspect.cleandoc(target.__doc__ or "").partition("\n")
    return Served(
        options.name or target.__name__,
        source_of(target),
        options,
        "async" if waits(target) else "sync",
        batched=False,
        wants_head=True,
        description=Description(summary=summary, text=text.strip()),
        streams="each",
        kind=kind_of(target),
    )
