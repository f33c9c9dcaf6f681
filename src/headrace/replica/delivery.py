"""The streamed answers of each call on their way out: what is new of them is reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from headrace.model.envelope import Part, Reply
from headrace.model.outlet import Outlet
from headrace.replica.bodies import Bodies
from headrace.replica.frames import FRAME_BYTES, Ended, Parts, pack

FEW = 4
"""So many parts fit into one frame, however large they may be."""
G = TypeVar("G")
"""What feeds outlets."""


class Reports(Protocol):
    """Hears how the calls of a replica get on."""

    def parts(self, serial: int, parts: list[tuple[int, Part]]) -> None:
        """Parts of streamed answers, each with its place."""

    def ended(self, serial: int, place: int, reply: Reply) -> None:
        """One answer of a call that goes on has ended."""

    def finished(self, serial: int, took_s: float, replies: list[Reply]) -> None:
        """A call has ended."""


class Frames:
    """Reports as frames, given to `say` one by one."""

    def __init__(self, bodies: Bodies, say: Callable[[bytearray], object]) -> None:
        """Nothing is said before something happens."""
        self._bodies, self._say = bodies, say

    def parts(self, serial: int, parts: list[tuple[int, Part]]) -> None:
        """See `Reports`."""
        if len(parts) > FEW and sum(len(p) for _, p in parts if isinstance(p, bytes)) > FRAME_BYTES:
            for part in parts:
                self._say(pack(Parts(serial, [part])))
        else:
            self._say(pack(Parts(serial, parts)))

    def ended(self, serial: int, place: int, reply: Reply) -> None:
        """See `Reports`."""
        if ahead := self._bodies.ahead(serial):
            self._say(bytearray(ahead))
        self._say(pack(Ended(serial, place, reply)))

    def finished(self, serial: int, took_s: float, replies: list[Reply]) -> None:
        """See `Reports`."""
        self._say(self._bodies.finished(serial, took_s, replies))


class Delivery(Generic[G]):
    """One call: an outlet for each request, each fed by a group."""

    __slots__ = ("_began", "_open", "groups", "outlets", "serial")

    def __init__(self, serial: int, pairs: Sequence[tuple[G, Outlet]]) -> None:
        self.serial = serial
        self.groups = [group for group, _ in pairs]
        self.outlets = [outlet for _, outlet in pairs]
        self._open = dict.fromkeys(range(len(pairs)))
        self._began = time.perf_counter()

    def report(self, reports: Reports) -> bool:
        """Report what is new; tell whether the call has ended with it."""
        outlets = self.outlets
        parts = [(place, part) for place in self._open for part in outlets[place].take()]
        if parts:
            reports.parts(self.serial, parts)
        ended = [place for place in self._open if outlets[place].over]
        for place in ended:
            del self._open[place]
        if not self._open:
            replies = [outlet.reply for outlet in outlets if outlet.reply is not None]
            reports.finished(self.serial, time.perf_counter() - self._began, replies)
            return True
        for place in ended:
            reply = outlets[place].reply
            if reply is not None:
                reports.ended(self.serial, place, reply)
        return False


class Deliveries(Generic[G]):
    """The calls under way, found by their serials and by what feeds them."""

    def __init__(self, reports: Reports) -> None:
        """None is under way yet."""
        self._reports = reports
        self._calls: dict[int, Delivery[G]] = {}
        self._fed: dict[G, set[int]] = {}

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return not self._calls

    def add(self, serial: int, pairs: Sequence[tuple[G, Outlet]]) -> None:
        """Begin with a call."""
        self._calls[serial] = Delivery(serial, pairs)
        for group, _ in pairs:
            self._fed.setdefault(group, set()).add(serial)

    def find(self, serial: int, place: int) -> tuple[G, Outlet] | None:
        """Find what works on an answer, and the answer; None if its call has ended."""
        call = self._calls.get(serial)
        return None if call is None else (call.groups[place], call.outlets[place])

    def only_call_of(self, group: G) -> int | None:
        """Give the one call that a group works for; None if it works for several, or for none."""
        serials = self._fed.get(group, set())
        return next(iter(serials)) if len(serials) == 1 else None

    def report(self, group: G) -> None:
        """Report what is new of all that a group feeds."""
        for serial in sorted(self._fed.get(group, ())):
            self.report_call(serial)

    def report_call(self, serial: int) -> None:
        """Report what is new of one call."""
        call = self._calls.get(serial)
        if call is not None and call.report(self._reports):
            del self._calls[serial]
            for group in set(call.groups):
                self._fed[group].discard(serial)
                if not self._fed[group]:
                    del self._fed[group]

    def let_go(self, serial: int) -> None:
        """End a call that nobody waits for, whatever works on it."""
        call = self._calls.get(serial)
        if call is not None:
            for outlet in call.outlets:
                outlet.give_up()
                outlet.let_go()
                outlet.take()  # what was still to leave is nobody's
            self.report_call(serial)

    def give_up(self) -> None:
        """Nobody waits for any of them any more."""
        for call in list(self._calls.values()):
            for outlet in call.outlets:
                outlet.give_up()
            self.report_call(call.serial)
