"""What the server knows of a deployment without importing its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, assert_never

from msgspec import Struct

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.checks import Streams
from headrace.model.concurrency import threads_for
from headrace.model.deployment import Options, options_of
from headrace.model.description import Description, described
from headrace.model.hooks import compile_plan
from headrace.model.kinds import Kind, kind_of, waits
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

    @property
    def slots(self) -> int:
        """Requests at once in a replica; 0 is one call at a time, the next ones sent ahead."""
        if self.streams == "steps":
            return self.options.max_batch_size
        if self.kind != "model":
            return self.options.max_ongoing_requests or _USUAL_SLOTS[self.kind, self.layout]
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


_USUAL_SLOTS = {
    ("plain", "sync"): 1,
    ("plain", "async"): 16,
    ("ingress", "sync"): 100,
    ("ingress", "async"): 100,
}


def describe(
    target: object, options: Options | None = None, *, is_made_with: bool = False
) -> Served:
    """Return what is to be known of a model class, or of any class or function.

    `is_made_with` arguments: else the class must do without. Raises ConfigError if it cannot be
    served.
    """
    if isinstance(target, type) and issubclass(target, Model):
        return _described_model(target, options or options_of(target), is_made_with=is_made_with)
    if not (isinstance(target, type) or inspect.isfunction(target)):
        raise ConfigError(
            f"cannot serve {target!r}: a target is a class derived from headrace.Model, any class "
            "or function that is a deployment, or what hr.bind returns"
        )
    return _described_plain(target, options or options_of(target))


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


def assign_routes(deployments: list[Served]) -> dict[str, str]:
    """Return the deployment behind each path: `/predict` for a single one, else `/{name}`.

    Raises ConfigError if two would answer at one path, or have one name.
    """
    routes: dict[str, str] = {}
    names: set[str] = set()
    is_alone = sum(served.is_root for served in deployments) == 1
    for served in deployments:
        if served.name in names:
            raise ConfigError(f"two deployments are named {served.name!r}: name one of them anew")
        names.add(served.name)
        if not served.is_root and served.options.route is None:
            continue  # only handles reach it
        default = "/predict" if is_alone else f"/{served.name}"
        if served.kind != "model":
            default = "/" if is_alone else f"/{served.name}"
        route = served.options.route or default
        if route in routes:
            raise ConfigError(f"{routes[route]} and {served.name} both want the route {route}")
        routes[route] = served.name
    return routes
