"""What is stepped together in a streaming model, and how: the promises of both ways to wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.model.calls import Call
from headrace.model.envelope import Envelope
from headrace.model.outlet import Outlet
from headrace.model.steps import Steps

END = object()
"""What a generator that has ended gives."""
Told = Callable[[], None]
"""Is called after each step: what may leave can leave."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the streams of one model are made: its hooks, and the Encode of an item."""

    steps: Steps
    hook: str
    """The hook that gives the items."""
    render: Callable[[Any], Any] | None = None
    media: str = ""
    step: Call | None = None
    leave: Call | None = None
    isolate: bool = True
    """Whether a batch whose generator raises before its first item runs again in halves."""

    @property
    def last_hook(self) -> str:
        """The hook whose items are written."""
        return self.hook if self.steps.encode is None else "encode_response"


class Group(Protocol):
    """The answers that one piece of user code works on."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""

    @property
    def ready(self) -> bool:
        """Whether a step is worth its while: a reader has room, or an answer was given up."""

    def step(self) -> None:
        """Run user code once."""

    def fail(self, error: BaseException) -> None:
        """End all of it, because of an error."""

    def close(self) -> None:
        """End all of it: nobody waits any more."""


class AsyncGroup(Protocol):
    """The same as a task on an event loop."""

    @property
    def unwanted(self) -> bool:
        """Whether the task is to be cancelled, for nobody waits for any of it."""

    @property
    def has_more(self) -> bool:
        """Whether a request joined when the task was at its end: then it is to run again."""

    async def run(self, told: Told) -> None:
        """Work until nothing is left to do; `told` is called after each step."""

    def wake(self) -> None:
        """Look again: a reader has room or has left, or a request has joined."""

    def fail(self, error: BaseException) -> None:
        """End all of it, because of an error."""

    def close(self) -> None:
        """End all of it: nobody waits any more."""


Open = Callable[[Sequence[Envelope]], list[tuple[Group, Outlet]]]
OpenAsync = Callable[[Sequence[Envelope]], list[tuple[AsyncGroup, Outlet]]]
"""Begins the answers of one call: gives each request its outlet, and what will feed it."""
