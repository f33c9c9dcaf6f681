"""Which items of a batch that raised are run again together: only those fail that fail alone.

Both halves are run again, then the halves of whichever raises. With k bad items of n that is at
most 2 k log2(n) runs more, none while all goes well. Every run is a new attempt: its items have
fresh Contexts and are decoded anew. Where three batches in a row had nothing good in them, it is
the model that is broken: then whole batches fail directly, until one succeeds.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from headrace.model.called import fault_for
from headrace.model.context import Context, abandon, renewed_context
from headrace.model.envelope import Envelope, Fault, Reply
from headrace.model.faults import NOBODY_WAITS, TOO_LATE, fault_of, in_a_line, names
from headrace.model.plain import BadBatch

log = logging.getLogger("headrace.model")

MOST_IN_VAIN = 3


class Tried(Protocol):
    """A request on its way through a batch: an Item, or the Outlet of a stream."""

    envelope: Envelope
    context: Context
    value: Any
    reply: Reply | None


T = TypeVar("T", bound=Tried)


class Streak:
    """How many batches in a row were searched in vain; one for each loaded model."""

    __slots__ = ("_most", "in_vain")

    def __init__(self, *, isolate: bool) -> None:
        self._most = MOST_IN_VAIN if isolate else 0
        self.in_vain = 0

    def worked(self) -> None:
        """Note a run that did not raise."""
        self.in_vain = 0

    def ended(self, items: Sequence[Tried]) -> None:
        """Note the end of a search."""
        if all(type(item.reply) is Fault for item in items):
            self.in_vain += 1

    def halves(self, items: list[T], hook: str, error: BaseException) -> list[list[T]]:
        """Give what is to be run again now that these raised together, the first half last.

        If nothing is, every item has its fault. A BadBatch is no item's doing.
        """
        contexts = [item.context for item in items]
        if len(items) == 1 or self.in_vain >= self._most or isinstance(error, BadBatch):
            fault = fault_of(error, hook, contexts)
            for item in items:
                item.reply = fault_for(item.envelope, fault, error)
            return []
        log.warning(
            "%s: %s raised; each half runs again: %s", names(contexts), hook, in_a_line(error)
        )
        half = len(items) // 2
        return [items[half:], items[:half]]


class Search:
    """One call's way to those of its streams that can begin, by halves that go on side by side."""

    __slots__ = ("_all", "_halved", "_open", "_streak")

    def __init__(self, streak: Streak, items: Sequence[Tried]) -> None:
        self._streak, self._all = streak, items
        self._open, self._halved = 1, False

    def began(self) -> None:
        """Note that a run has given its first items, so it is not searched any further."""
        self._streak.worked()
        self._settled(1)

    def nobody(self) -> None:
        """Note that a run has nobody left to work for."""
        self._settled(1)

    def halves(self, items: list[T], hook: str, error: BaseException) -> list[list[T]]:
        """Give what is to be run again now that these raised together; else each has its fault."""
        found = self._streak.halves(items, hook, error)
        if found:
            self._halved = True
        self._settled(1 - len(found))
        return found[::-1]

    def _settled(self, runs: int) -> None:
        self._open -= runs
        if not self._open and self._halved:
            self._streak.ended(self._all)


def renewed(items: Sequence[T]) -> list[T]:
    """Begin a new attempt at those of the items that somebody still waits for."""
    return [item for item in items if _is_wanted(item) and _renew(item)]


def _is_wanted(item: Tried) -> bool:
    if item.envelope.deadline <= monotonic():
        item.reply = TOO_LATE
    elif item.context.cancelled:
        item.reply = NOBODY_WAITS
    return item.reply is None


def _renew(item: Tried) -> bool:
    abandon(item.context)  # a thread of the attempt before may still ask it
    item.envelope = replace(item.envelope, attempt=item.envelope.attempt + 1)
    item.context, item.value = renewed_context(item.context, item.envelope), None
    return True
