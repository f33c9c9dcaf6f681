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

from msgspec.structs import replace

from headrace.model.context import abandon, context_of
from headrace.model.envelope import Fault
from headrace.model.faults import NOBODY_WAITS, TOO_LATE, fault_of, in_a_line, names
from headrace.model.steps import BadBatch, Item

log = logging.getLogger("headrace.model")

MOST_IN_VAIN = 3


class Streak:
    """How many batches in a row were searched in vain; one for each loaded model."""

    __slots__ = ("_most", "in_vain")

    def __init__(self, *, isolate: bool) -> None:
        self._most = MOST_IN_VAIN if isolate else 0
        self.in_vain = 0

    def worked(self) -> None:
        """Note a run that did not raise."""
        self.in_vain = 0

    def ended(self, items: Sequence[Item]) -> None:
        """Note the end of a search."""
        if all(type(item.reply) is Fault for item in items):
            self.in_vain += 1

    def halves(self, items: list[Item], hook: str, error: BaseException) -> list[list[Item]]:
        """Give what is to be run again now that these raised together, the first half last.

        If nothing is, every item has its fault. A BadBatch is no item's doing.
        """
        contexts = [item.context for item in items]
        if len(items) == 1 or self.in_vain >= self._most or isinstance(error, BadBatch):
            fault = fault_of(error, hook, contexts)
            for item in items:
                item.reply = fault
            return []
        log.warning(
            "%s: %s raised; each half runs again: %s", names(contexts), hook, in_a_line(error)
        )
        half = len(items) // 2
        return [items[half:], items[:half]]


def renewed(items: Sequence[Item]) -> list[Item]:
    """Begin a new attempt at those of the items that somebody still waits for."""
    return [item for item in items if _is_wanted(item) and _renew(item)]


def _is_wanted(item: Item) -> bool:
    if item.envelope.deadline <= monotonic():
        item.reply = TOO_LATE
    elif item.context.cancelled:
        item.reply = NOBODY_WAITS
    return item.reply is None


def _renew(item: Item) -> bool:
    abandon(item.context)  # a thread of the attempt before may still ask it
    item.envelope = replace(item.envelope, attempt=item.envelope.attempt + 1)
    item.context, item.value = context_of(item.envelope), None
    return True
