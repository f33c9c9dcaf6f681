"""An answer in parts: in order, no faster than its reader, each part before the end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headrace.core.credit import WINDOW
from headrace.core.messages import Serial, Why
from headrace.model.api import Model
from headrace.model.envelope import Closed, Fault, Opened, Reply
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.streamers import (
    Counter,
    CounterAsync,
    CountersTogether,
    CountersTogetherAsync,
    Crowd,
    CrowdAsync,
)

MANY = 3 * WINDOW


async def _replies(stage: Stage, serial: Serial) -> Sequence[Reply]:
    """Return how the streams of a call ended."""
    await stage.ledger.until(lambda: serial in stage.ledger.answers or bool(stage.ledger.endings))
    assert serial in stage.ledger.answers, stage.ledger
    return stage.ledger.answers[serial]


def _items(stage: Stage, serial: Serial, place: int = 0) -> list[object]:
    """Return the items of a stream, so far; the first part is how it opened."""
    parts = stage.ledger.streams.get((serial, place), [])
    if not parts:
        return []
    opened, *bodies = parts
    assert opened == Opened(200, "application/x-ndjson")
    return [msgspec.json.decode(body) for body in bodies if isinstance(body, bytes)]


def _grant(stage: Stage, serial: Serial, parts: int, place: int = 0) -> None:
    assert stage.replica is not None
    stage.replica.grant(serial, place, parts)
    stage.replica.flush()


async def _filled(stage: Stage, serial: Serial, parts: int) -> None:
    """Return when a stream has sent so many parts."""
    await stage.ledger.until(lambda: len(stage.ledger.streams.get((serial, 0), [])) >= parts)


async def items_come_in_order_before_the_end(stage: Stage) -> None:
    """A generator's items are parts in their order, then comes `finished` with `Closed`."""
    await _counts(stage, Counter)


async def items_come_in_order_on_a_loop(stage: Stage) -> None:
    """The same for an async generator."""
    await _counts(stage, CounterAsync)


async def _counts(stage: Stage, model: type[Model]) -> None:
    await stage.load(model)
    serial, empty = stage.send_now({"n": 5}), stage.send_now({"n": 0})
    assert await _replies(stage, serial) == [Closed()]
    assert _items(stage, serial) == [0, 1, 2, 3, 4]
    assert await _replies(stage, empty) == [Closed()]
    assert stage.ledger.streams[empty, 0] == [Opened(200, "application/x-ndjson")]


async def credit_is_respected(stage: Stage) -> None:
    """No more parts come than were granted; others are served, and a grant lets it go on."""
    await _waits_for_credit(stage, Counter)


async def credit_is_respected_on_a_loop(stage: Stage) -> None:
    """The same for an async generator."""
    await _waits_for_credit(stage, CounterAsync)


async def _waits_for_credit(stage: Stage, model: type[Model]) -> None:
    await stage.load(model)
    slow = stage.send_now({"n": MANY})
    await _filled(stage, slow, WINDOW)
    quick = stage.send_now({"n": 3})
    assert await _replies(stage, quick) == [Closed()]
    assert len(stage.ledger.streams[slow, 0]) == WINDOW
    _grant(stage, slow, 8)
    await _filled(stage, slow, WINDOW + 8)
    assert await _replies(stage, stage.send_now({"n": 3})) == [Closed()]
    assert len(stage.ledger.streams[slow, 0]) == WINDOW + 8
    _grant(stage, slow, MANY)
    assert await _replies(stage, slow) == [Closed()]
    assert _items(stage, slow) == list(range(MANY))


async def an_error_comes_after_the_items_before_it(stage: Stage) -> None:
    """What a generator raises ends its stream in a fault; before the first item, nothing opens."""
    await _fails(stage, Counter)


async def an_error_on_a_loop_comes_after_the_items_before_it(stage: Stage) -> None:
    """The same for an async generator."""
    await _fails(stage, CounterAsync)


async def _fails(stage: Stage, model: type[Model]) -> None:
    await stage.load(model)
    late, early = stage.send_now({"n": -3}), stage.send_now({"n": "three"})
    (fault,) = await _replies(stage, late)
    assert isinstance(fault, Fault)
    assert (fault.status, _items(stage, late)) == (500, [0, 1, 2])
    (fault,) = await _replies(stage, early)
    assert isinstance(fault, Fault)
    assert fault.status == 422
    assert (early, 0) not in stage.ledger.streams
    assert await _replies(stage, stage.send_now({"n": 1})) == [Closed()]


async def a_stream_given_up_is_closed(stage: Stage) -> None:
    """`stop` closes a generator, also where it waits for its reader; the call still ends."""
    await _gives_up(stage, Counter)


async def a_stream_given_up_is_closed_on_a_loop(stage: Stage) -> None:
    """The same for an async generator."""
    await _gives_up(stage, CounterAsync)


async def _gives_up(stage: Stage, model: type[Model]) -> None:
    replica = await stage.load(model)
    serial = stage.send_now({"n": MANY, "mark": str(stage.mark)})
    await _filled(stage, serial, WINDOW)
    assert not stage.mark.exists()
    replica.stop(serial, 0)
    replica.flush()
    (fault,) = await _replies(stage, serial)
    assert isinstance(fault, Fault)
    assert stage.mark.read_text() == "x"
    assert len(stage.ledger.streams[serial, 0]) == WINDOW
    _grant(stage, serial, 1)  # too late: it is nobody's
    assert await _replies(stage, stage.send_now({"n": 1})) == [Closed()]


async def the_items_of_a_batch_go_each_to_its_own(stage: Stage) -> None:
    """Each answer of a batch ends by itself: `ended_one` for those before the last, then all."""
    await _counts_down(stage, CountersTogether)


async def the_items_of_a_batch_go_each_to_its_own_on_a_loop(stage: Stage) -> None:
    """The same for an async generator."""
    await _counts_down(stage, CountersTogetherAsync)


async def _counts_down(stage: Stage, model: type[Model]) -> None:
    await stage.load(model)
    serial = stage.send_now(3, 1, -1)
    long, short, failed = await _replies(stage, serial)
    assert (long, short) == (Closed(), Closed())
    assert isinstance(failed, Fault)
    assert [_items(stage, serial, place) for place in range(3)] == [[3, 2, 1], [1], []]
    assert stage.ledger.early == {(serial, 1): short, (serial, 2): failed}


async def requests_join_and_leave(stage: Stage) -> None:
    """Requests of a model with `step` join and leave while others go on."""
    await _joins(stage, Crowd)


async def requests_join_and_leave_on_a_loop(stage: Stage) -> None:
    """The same for an async `step`."""
    await _joins(stage, CrowdAsync)


async def _joins(stage: Stage, model: type[Model]) -> None:
    replica = await stage.load(model)
    first, gone = stage.send(MANY), stage.send(MANY)
    replica.flush()
    await _filled(stage, first, WINDOW)
    assert set(_items(stage, gone)) == {2}
    replica.stop(gone, 0)
    joined, refused = stage.send(2), stage.send(-1)
    _grant(stage, first, MANY)
    (fault,) = await _replies(stage, refused)
    assert isinstance(fault, Fault)
    assert await _replies(stage, joined) == [Closed()]
    assert _items(stage, joined) == [2, 2]
    assert await _replies(stage, first) == [Closed()]
    assert len(_items(stage, first)) == MANY
    assert _items(stage, first)[-1] == 1
    (fault,) = await _replies(stage, gone)
    assert isinstance(fault, Fault)


async def evict_lets_a_stream_finish(stage: Stage) -> None:
    """`evict` lets a stream that was begun go on to its end, as its reader reads it."""
    replica = await stage.load(Counter)
    serial = stage.send_now({"n": MANY})
    await _filled(stage, serial, WINDOW)
    replica.evict()
    _grant(stage, serial, MANY)
    assert (await stage.gone()).why is Why.ASKED
    assert stage.ledger.answers[serial] == [Closed()]
    assert _items(stage, serial) == list(range(MANY))


CHECKS = (
    items_come_in_order_before_the_end,
    items_come_in_order_on_a_loop,
    credit_is_respected,
    credit_is_respected_on_a_loop,
    an_error_comes_after_the_items_before_it,
    an_error_on_a_loop_comes_after_the_items_before_it,
    a_stream_given_up_is_closed,
    a_stream_given_up_is_closed_on_a_loop,
    the_items_of_a_batch_go_each_to_its_own,
    the_items_of_a_batch_go_each_to_its_own_on_a_loop,
    requests_join_and_leave,
    requests_join_and_leave_on_a_loop,
    evict_lets_a_stream_finish,
)
