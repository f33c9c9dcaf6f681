"""One request's streamed answer: items go in, parts come out as its reader has room for them."""

from __future__ import annotations

from typing import Any

from headrace.core.credit import WINDOW
from headrace.memory.slots import Slot
from headrace.model.answers import opened
from headrace.model.called import fault_for, item
from headrace.model.context import OK, Context, abandon, context_of
from headrace.model.envelope import Closed, Envelope, Fault, Opened, Part, Reply
from headrace.model.faults import NOBODY_WAITS
from headrace.model.sizes import bounded
from headrace.model.streaming import Form, form_of, wished

_PACKED = Form("", item)
MOST_HELD = 256
MOST_HELD_BYTES = 1 << 20
SLOW = Fault(503, "slow_reader", "too much of the answer waited to be read, and others waited too")


class Outlet:
    """Writes the items of one answer; holds back what its reader has not asked for yet.

    `reply` is set once, when the model has nothing to add. `take` gives what may leave.
    """

    __slots__ = (
        "_credit",
        "_form",
        "_held",
        "_held_bytes",
        "_leaving",
        "_own",
        "_wish",
        "context",
        "envelope",
        "reply",
        "value",
        "wanted",
    )

    def __init__(self, envelope: Envelope, own: str, place: int = 0) -> None:
        """Begin with the reader's first credit; `own` is the media type of the model's Encode."""
        self.envelope = envelope
        self.context: Context = context_of(envelope, place)
        self.value: Any = None
        """What was decoded."""
        self.reply: Reply | None = None
        self.wanted = True
        """Whether somebody waits for it."""
        self._wish, self._own = wished(envelope), own
        self._form: Form | None = None
        self._credit = WINDOW
        self._held: list[Part] = []
        self._held_bytes = 0
        self._leaving: list[Part] = []

    def __repr__(self) -> str:
        state = "ended" if self.reply else "open" if self.wanted else "given up"
        name = self.envelope.label
        return f"<Outlet {name} {state}, {len(self._held)} held, credit {self._credit}>"

    @property
    def listening(self) -> bool:
        """Whether an item would be read."""
        return self.wanted and self.reply is None

    @property
    def room(self) -> bool:
        """Whether an item would leave at once."""
        return self._credit > 0 and self.listening

    @property
    def over(self) -> bool:
        """Whether it has ended, and all of it has left."""
        return self.reply is not None and not self._held

    # --- from the model --------------------------------------------------------------------

    def give(self, item: Any) -> None:
        """Add an item. Raises CannotAnswer; an answer nobody reads takes no notice."""
        if not self.listening:
            return
        form = self._form or self._form_of(item)
        part = form.frame(item)
        bounded(part)
        self._open(form)
        self._put(part)

    def finish(self) -> None:
        """End well. Raises CannotAnswer for an answer that could not even be opened."""
        if not self.listening:
            return
        form = self._form or self._form_of(None)
        self._open(form)
        if form.end:
            self._put(form.end)
        if self.reply is None:
            self.reply = Closed()

    def answer(self, value: bytes | Slot) -> None:
        """End well with one packed value, in place of a stream."""
        if self.listening:
            self.reply = value

    def fail(self, fault: Fault, error: BaseException | None = None) -> None:
        """End in a fault; what was given before still goes first."""
        if self.reply is None:
            self.reply = fault if error is None else fault_for(self.envelope, fault, error)

    def let_go(self) -> None:
        """End an answer that was given up."""
        self.fail(NOBODY_WAITS)

    # --- from the reader -------------------------------------------------------------------

    def grant(self, parts: int) -> None:
        """Let so many more parts leave."""
        self._credit += parts
        ready, self._held = self._held[: self._credit], self._held[self._credit :]
        self._credit -= len(ready)
        self._held_bytes -= sum(map(_size, ready))
        self._leaving += ready

    def give_up(self) -> None:
        """Nobody waits any more; whoever works on it lets go as soon as it may."""
        self.wanted = False
        self._drop()

    def take(self) -> list[Part]:
        """Return what may leave now."""
        leaving, self._leaving = self._leaving, []
        return leaving

    def _form_of(self, first: Any) -> Form:
        if self.envelope.call is not None:
            return _PACKED
        return form_of(self._wish, self._own, self.context, first)

    def _open(self, form: Form) -> None:
        if self._form is None:
            is_call = form is _PACKED
            self._put(Opened(OK, "") if is_call else opened(self.context, form.content_type))
            self._form = form

    def _put(self, part: Part) -> None:
        if self._credit > 0:  # then nothing is held
            self._credit -= 1
            self._leaving.append(part)
            return
        self._held.append(part)
        self._held_bytes += _size(part)
        if len(self._held) > MOST_HELD or self._held_bytes > MOST_HELD_BYTES:
            self._drop()
            self.reply = SLOW

    def _drop(self) -> None:
        abandon(self.context)
        self._held.clear()
        self._held_bytes = 0


def _size(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else 0
