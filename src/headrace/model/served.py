"""What the server knows of a deployment without importing its code."""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.checks import Streams
from headrace.model.concurrency import threads_for
from headrace.model.deployment import Options, options_of
from headrace.model.description import Description, described
from headrace.model.hooks import compile_plan
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

    @property
    def slots(self) -> int:
        """Requests at once in a replica; 0 is one call at a time, the next ones sent ahead."""
        if self.streams == "steps":
            return self.options.max_batch_size
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


def describe(target: object) -> Served:
    """Return what is to be known of a model class. Raises ConfigError if it cannot be served."""
    if not (isinstance(target, type) and issubclass(target, Model)):
        raise ConfigError(
            f"cannot serve {target!r}: a target is a class derived from headrace.Model"
        )
    options = options_of(target)
    source = source_of(target)  # first: msgspec's notes on a dataclass cannot be pickled
    plan = compile_plan(target, options)
    return Served(
        options.name or target.__name__,
        source,
        options,
        plan.layout,
        plan.batched,
        plan.wants_head,
        described(target),
        plan.streams,
    )


def assign_routes(deployments: list[Served]) -> dict[str, str]:
    """Return the deployment behind each path: `/predict` for a single one, else `/{name}`.

    Raises ConfigError if two would answer at one path, or have one name.
    """
    routes: dict[str, str] = {}
    names: set[str] = set()
    for served in deployments:
        default = "/predict" if len(deployments) == 1 else f"/{served.name}"
        route = served.options.route or default
        if served.name in names:
            raise ConfigError(f"two deployments are named {served.name!r}: name one of them anew")
        if route in routes:
            raise ConfigError(f"{routes[route]} and {served.name} both want the route {route}")
        names.add(served.name)
        routes[route] = served.name
    return routes
