"""Serve the streams of a leaf replica: one thread, no event loop, several answers open at once.

They are stepped in turn. The socket is looked at between two steps, so that a reader who left is
heard of before the next item; when no answer has a reader with room, it is waited for. What a step
gives leaves before the next step begins.

A step that nobody waits for is stopped as a call is: see `stopping`. Where the requests of several
calls share one step, it goes on, for it works for others too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from headrace.model.context import running
from headrace.model.envelope import Envelope
from headrace.model.group import Group, Open
from headrace.model.handle import use_line
from headrace.model.hooks import Plan
from headrace.replica.delivery import Deliveries, Frames, Reports
from headrace.replica.end import End
from headrace.replica.frames import (
    Calls,
    Credit,
    Freed,
    GiveUpOn,
    Load,
    Order,
    Returned,
    TearDown,
    Trim,
    Word,
    pack,
)
from headrace.replica.holding import in_streams
from headrace.replica.leaf_line import LeafLine
from headrace.replica.stopping import Guard
from headrace.replica.uncaught import EXITS


class Streams:
    """The answers under way, stepped in turn."""

    def __init__(self, begin: Open, reports: Reports, guard: Guard) -> None:
        """None is under way yet."""
        self._begin, self._guard = begin, guard
        self._deliveries: Deliveries[Group] = Deliveries(reports)
        self._ring: deque[Group] = deque()

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return self._deliveries.idle

    @property
    def ready(self) -> bool:
        """Whether there is something to step."""
        return any(group.ready for group in self._ring)

    def begin(self, serial: int, envelopes: Sequence[Envelope]) -> None:
        """Start the answers of a call; nothing of it runs before the next step."""
        running.set(serial)  # outlets take it over
        pairs = self._begin(envelopes)
        running.set(0)
        self._deliveries.add(serial, pairs)
        for group, _ in pairs:
            if group not in self._ring:
                self._ring.append(group)

    def grant(self, serial: int, place: int, parts: int) -> None:
        """Let so many more parts of an answer leave."""
        found = self._deliveries.find(serial, place)
        if found is not None:
            found[1].grant(parts)
            self._deliveries.report_call(serial)

    def give_up_on(self, serial: int, place: int) -> None:
        """Nobody waits for an answer any more: what works on it is closed with its next turn."""
        found = self._deliveries.find(serial, place)
        if found is not None:
            found[1].give_up()
            self._deliveries.report_call(serial)

    def step(self) -> None:
        """Step the next one in turn that is ready, if there is one."""
        for _ in range(len(self._ring)):
            group = self._ring[0]
            self._ring.rotate(-1)
            if group.ready:
                self._step(group)
                return

    def close(self) -> None:
        """End them all: nobody is there to read."""
        for group in self._ring:
            group.close()
        self._ring.clear()

    def _step(self, group: Group) -> None:
        serial = self._deliveries.only_call_of(group)
        if serial is None:
            self._unguarded(group, group.step)
        elif self._guard.step(serial, group):
            self._deliveries.let_go(serial)
            self._unguarded(group, group.close)
        if group.over:
            self._ring.remove(group)
        self._deliveries.report(group)

    def _unguarded(self, group: Group, act: Callable[[], None]) -> None:
        try:
            act()
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - their clients wait, and hear of it
            group.fail(error)


def run_streams(plan: Plan, model: object, end: End) -> None:
    """Serve until told to tear down. Raises WorkerGone at the end of the stream."""
    outbox = bytearray()
    line = LeafLine(end, batched=plan.batched)
    use_line(line)
    frames = Frames(end.bodies, outbox.extend)
    streams = Streams(*in_streams(plan, model, frames, line.tell), end.guard)
    asked_to_end = False
    try:
        while not (asked_to_end and streams.idle):
            reading = line.reading
            orders = reading.orders_there() if streams.ready else reading.orders()
            asked_to_end |= _obey_all(orders, streams, end, outbox)
            streams.step()
            outbox += end.bodies.done()
            if outbox:
                end.send(outbox)
                outbox.clear()
    finally:
        streams.close()


def _obey_all(orders: deque[Order], streams: Streams, end: End, outbox: bytearray) -> bool:
    """Do what was ordered; tell if the worker wants an end."""
    for order in orders:
        match order:
            case GiveUpOn(serial, place):
                streams.give_up_on(serial, place)
            case Credit(serial, place, parts):
                streams.grant(serial, place, parts)
            case _:
                _obey(order, streams, end, outbox)
    return any(isinstance(order, TearDown) for order in orders)


def _obey(
    order: Calls | Freed | Trim | TearDown | Load | Word,
    streams: Streams,
    end: End,
    outbox: bytearray,
) -> None:
    match order:
        case Calls(calls):
            for serial, envelopes in calls:
                if end.page.claim(serial):
                    streams.begin(serial, envelopes)
                else:
                    outbox += pack(Returned(serial))
        case Freed(places):
            end.bodies.freed(places)
        case Trim():
            end.bodies.trim()
        case TearDown() | Load():
            pass
        case _:
            end.words.hear(order)
