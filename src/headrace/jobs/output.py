"""What a job answers, put together while it comes: one whole answer, or a start and its parts.

Parts that a reader of events can make use of are passed on as they come: lines, events and text.
"""

from __future__ import annotations

from typing import Final

from headrace.core.attempts import Said
from headrace.core.claiming import said_of, said_of_loss
from headrace.errors import Draining, HeadraceError, Refused, ReplicaLost, TooLarge
from headrace.jobs import orders
from headrace.jobs.orders import Outcome
from headrace.memory.slots import Slot, view_of
from headrace.model.envelope import Answer, Closed, Fault, Opened, Part
from headrace.model.media import media_type
from headrace.model.sizes import ANSWER_BYTES
from headrace.runtime.asked import Ending

JSON: Final = "application/json"
LINES: Final = frozenset({"application/x-ndjson", "application/jsonl", JSON})
LARGEST_ITEM_BYTES: Final = 60_000
"""A longer part is several events."""
CONTINUES_MASK: Final = 0b1100_0000
CONTINUES: Final = 0b1000_0000
"""The highest bits of a byte that goes on with a character."""
End = tuple[Said, Outcome | None]
"""What is said of an attempt, and what came of it."""


class Output:
    """One attempt's."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._opened: Opened | None = None
        self._parts: list[bytes] = []
        self.size_bytes = 0

    def add(self, part: Part) -> list[bytes]:
        """Take the next part; return what of it is news for readers of events. Raises TooLarge."""
        if isinstance(part, Opened):
            self._opened, self._parts, self.size_bytes = part, [], 0
            return []
        if not isinstance(part, bytes):
            return []  # an application that goes on behind its response
        self.size_bytes += len(part)
        if self.size_bytes > ANSWER_BYTES:
            raise TooLarge(f"the job's answer is longer than {ANSWER_BYTES:,} bytes")
        self._parts.append(part)
        return self._for_readers(part)

    def _for_readers(self, part: bytes) -> list[bytes]:
        media = media_type(self._opened.content_type) if self._opened else ""
        if media in LINES:
            return _pieces(part.removesuffix(b"\n"))  # an event of its own has no need of one
        return _pieces(part) if media.startswith("text/") else []

    def end(self, ending: Ending, *, retry_safe: bool) -> End:
        """Return what an ending says of the job; None is of work that was stopped."""
        if ending is None or isinstance(ending, Draining):
            return Said.STOPPED, None
        if isinstance(ending, ReplicaLost):
            said = said_of_loss(is_blamed=ending.is_blamed, retry_safe=retry_safe)
            return said, orders.failure(ending, self._label)
        if isinstance(ending, Refused):
            return Said.RETURNED, None
        if isinstance(ending, HeadraceError):
            return said_of(ending.status), orders.failure(ending, self._label)
        if isinstance(ending, Fault):
            fault = Fault(
                ending.status, ending.code, ending.detail, ending.path, list(ending.headers)
            )
            outcome = Outcome(ending.status, fault=fault, label=self._label)
        else:
            outcome = self._whole(ending)
        return said_of(outcome.status), outcome

    def _whole(self, ending: bytes | Slot | Answer | Closed) -> Outcome:
        if isinstance(ending, Answer):
            status, media, headers = ending.status, ending.content_type, ending.headers
            return Outcome(status, media, headers, bytes(view_of(ending.body)), label=self._label)
        if isinstance(ending, Closed):
            opened, body = self._opened or Opened(200, ""), b"".join(self._parts)
            return Outcome(
                opened.status, opened.content_type, opened.headers, body, label=self._label
            )
        return Outcome(200, JSON, [], bytes(view_of(ending)), label=self._label)


def _pieces(part: bytes) -> list[bytes]:
    """Cut a long part into pieces, none of them within a character of UTF-8."""
    pieces, begin = [], 0
    while len(part) - begin > LARGEST_ITEM_BYTES:
        end = begin + LARGEST_ITEM_BYTES
        while part[end] & CONTINUES_MASK == CONTINUES and end > begin + LARGEST_ITEM_BYTES - 3:
            end -= 1
        pieces.append(part[begin:end])
        begin = end
    return [*pieces, part[begin:]]
