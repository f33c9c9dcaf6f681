"""Who runs the jobs of a name now, and on what terms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from headrace.core.jobs import Terms
from headrace.core.messages import DeploymentId
from headrace.jobs.orders import Order
from headrace.memory.arena import Region
from headrace.model.kinds import Kind

Validate = Callable[[Order], Awaitable[None]]
"""Returns if an order may be submitted. Raises RequestError: it would never come to anything."""


async def whatever(order: Order) -> None:
    """Take every order."""


@dataclass(frozen=True, slots=True)
class JobEndpoint:
    """One route, or one function."""

    name: str
    """A route, such as `/predict`; `job:module.qualname` for a function."""
    deployment: DeploymentId
    kind: Kind = "model"
    function: str = ""
    """Which function of a job replica: `module.qualname`; empty for every other deployment."""
    wants_head: bool = False
    streams: bool = False
    multiplexed: bool = False
    max_body_bytes: int = 64 << 20
    timeout_s: float = inf
    """How long one attempt may take where its terms say nothing less."""
    terms: Terms = field(default_factory=Terms)
    """What holds where whoever submits says nothing."""
    keys: Any = None
    """What opens it: the `http.keys.Keys` of its route, which this room only passes on."""
    region: Region | None = None
    """Where large bodies go, if its replicas share memory with the worker."""
    validate: Validate = whatever
