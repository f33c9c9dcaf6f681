"""What code asks of others leaves with the call that it is for; what comes back reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.core.credit import PORTION
from headrace.core.messages import Serial
from headrace.errors import QueueFull
from headrace.model.api import Model
from headrace.model.called import item, refusal, value
from headrace.model.envelope import Closed, Fault, Opened, Part
from headrace.model.handle import handle
from headrace.model.pickles import unpacked
from headrace.replica.frames import Answered, AnswerParts, Ask, HangUp, Took, Word
from headrace.testing.conformance.stage import Stage
from headrace.testing.conformance.subjects import leave_mark

ITEMS = 3 * PORTION


class Asks(Model):
    """Calls another deployment, and answers with what that answered."""

    def predict(self, wish: str, mark: str = "") -> Any:
        """Fulfil one wish."""
        try:
            response = handle("other")(wish, mark=mark)
            return list(response) if wish == "items" else response.result()
        except QueueFull as full:
            return full.retry_after_s
        finally:
            if mark:
                leave_mark(mark)


class AsksAsync(Model):
    """The same on an event loop."""

    async def predict(self, wish: str, mark: str = "") -> Any:
        """Fulfil one wish."""
        try:
            response = handle("other")(wish, mark=mark)
            return [each async for each in response] if wish == "items" else await response
        except QueueFull as full:
            return full.retry_after_s
        finally:
            if mark:
                leave_mark(mark)


class AsksInSteps(Model):
    """The same in a leaf that streams: its one item is the answer."""

    def predict(self, wish: str, mark: str = "") -> Iterator[Any]:
        """Fulfil one wish."""
        yield Asks.predict(self, wish, mark)  # type: ignore[arg-type] # they have nothing of their own


async def _asked(stage: Stage, count: int = 1) -> Ask:
    """Return what the replica's code has asked last."""

    def asked() -> list[Ask]:
        return [news for news in stage.ledger.told_of if isinstance(news, Ask)]

    await stage.ledger.until(lambda: len(asked()) >= count)
    return asked()[-1]


def _tell(stage: Stage, *words: Word) -> None:
    assert stage.replica is not None
    for word in words:
        stage.replica.tell(word)
    stage.replica.flush()


async def _hung_up(stage: Stage, number: int) -> None:
    await stage.ledger.until(lambda: HangUp(number) in stage.ledger.told_of)


async def a_call_is_answered(stage: Stage) -> None:
    """A call leaves with the serial and place it is for, and brings its arguments."""
    await _a_call_is_answered(stage, Asks)


async def a_call_on_a_loop_is_answered(stage: Stage) -> None:
    """The same on an event loop."""
    await _a_call_is_answered(stage, AsksAsync)


async def _a_call_is_answered(stage: Stage, model: type[Model]) -> None:
    await stage.load(model)
    serial = stage.send_now({"wish": "value"})
    ask = await _asked(stage)
    assert (ask.target, ask.serial, ask.place, ask.detached) == ("other", serial, 0, False)
    assert ask.envelope.label == "check"
    assert ask.envelope.call is not None
    assert unpacked(ask.envelope.view()) == (("value",), {"mark": ""})
    _tell(stage, Answered(ask.number, value({"x": 1})))
    assert await stage.answer(serial) == [{"x": 1}]


async def a_refusal_is_raised(stage: Stage) -> None:
    """What the engine says of a call is raised where it was made, as it is."""
    await stage.load(Asks)
    serial = stage.send_now({"wish": "value"})
    full = QueueFull("too many", retry_after_s=2.5)
    _tell(stage, Answered((await _asked(stage)).number, refusal(full)))
    assert await stage.answer(serial) == [2.5]


async def items_are_acknowledged(stage: Stage) -> None:
    """The items of a streamed answer come in order, and are acknowledged as they are read."""
    await _items_are_acknowledged(stage, Asks)


async def items_on_a_loop_are_acknowledged(stage: Stage) -> None:
    """The same on an event loop."""
    await _items_are_acknowledged(stage, AsksAsync)


async def _items_are_acknowledged(stage: Stage, model: type[Model]) -> None:
    await stage.load(model)
    serial = stage.send_now({"wish": "items"})
    number = (await _asked(stage)).number
    parts: list[Part] = [Opened(200, ""), *(item(each) for each in range(ITEMS - 1))]
    _tell(stage, AnswerParts(number, parts))

    def taken() -> int:
        return sum(news.parts for news in stage.ledger.told_of if isinstance(news, Took))

    await stage.ledger.until(lambda: taken() == ITEMS)
    _tell(stage, AnswerParts(number, [item("last")]), Answered(number, Closed()))
    assert await stage.answer(serial) == [[*range(ITEMS - 1), "last"]]


async def a_call_given_up_is_hung_up(stage: Stage) -> None:
    """When the request is given up that a call on a loop is for, the call is hung up."""
    replica = await stage.load(AsksAsync)
    serial = stage.send_now({"wish": "value"})
    ask = await _asked(stage)
    replica.stop(serial, 0)
    replica.flush()
    (fault,) = await stage.answer(serial)
    assert isinstance(fault, Fault)
    await _hung_up(stage, ask.number)
    late = stage.send_now({"wish": "value"})
    _tell(stage, Answered(ask.number, value("nobody's")))
    _tell(stage, Answered((await _asked(stage, 2)).number, value("on")))
    assert await stage.answer(late) == ["on"]


async def calls_wait_while_one_asks(stage: Stage) -> None:
    """Calls that come while a leaf waits for an answer run after it, in their order."""
    await stage.load(Asks)
    first = stage.send_now({"wish": "value"})
    one = await _asked(stage)
    second, third = stage.send_now({"wish": "value"}), stage.send_now({"wish": "value"})
    _tell(stage, Answered(one.number, value(1)))
    assert await stage.answer(first) == [1]
    _tell(stage, Answered((await _asked(stage, 2)).number, value(2)))
    assert await stage.answer(second) == [2]
    _tell(stage, Answered((await _asked(stage, 3)).number, value(3)))
    assert await stage.answer(third) == [3]
    assert list(stage.ledger.answers) == [first, second, third]


async def a_wait_is_interrupted(stage: Stage) -> None:
    """A leaf that waits for an answer nobody wants hangs up at once, and goes on."""
    replica = await stage.load(Asks)
    serial = stage.send_now({"wish": "value", "mark": str(stage.mark)})
    ask = await _asked(stage)
    replica.interrupt(serial)
    (fault,) = await stage.answer(serial)
    assert isinstance(fault, Fault)
    assert fault.status == 499
    await _hung_up(stage, ask.number)
    await stage.marked()
    await _goes_on(stage, 2)


async def a_wait_of_a_stream_is_interrupted(stage: Stage) -> None:
    """The same in a step of a leaf that streams."""
    replica = await stage.load(AsksInSteps)
    serial = stage.send_now({"wish": "value", "mark": str(stage.mark)})
    ask = await _asked(stage)
    replica.stop(serial, 0)
    replica.flush()
    replica.interrupt(serial)
    await stage.ledger.until(lambda: serial in stage.ledger.answers)
    await _hung_up(stage, ask.number)
    await stage.marked()


async def the_word_of_an_end_may_be_quicker(stage: Stage) -> None:
    """That a call was cancelled may reach a leaf before its signal does: it ends just so."""
    replica = await stage.load(Asks)
    serial = stage.send_now({"wish": "value"})
    gone = Fault(499, "client_closed_request", "nobody waits")
    _tell(stage, Answered((await _asked(stage)).number, gone))
    replica.interrupt(serial)
    (fault,) = await stage.answer(serial)
    assert isinstance(fault, Fault)
    assert fault.status == 499
    await _goes_on(stage, 2)


async def _goes_on(stage: Stage, asks: int) -> None:
    serial: Serial = stage.send_now({"wish": "value"})
    _tell(stage, Answered((await _asked(stage, asks)).number, value("on")))
    assert await stage.answer(serial) == ["on"]


CHECKS = (
    a_call_on_a_loop_is_answered,
    items_on_a_loop_are_acknowledged,
    a_call_given_up_is_hung_up,
)
"""What every executor keeps."""
APART = (
    a_call_is_answered,
    a_refusal_is_raised,
    items_are_acknowledged,
    calls_wait_while_one_asks,
)
"""What those keep that run sync hooks on a thread of their own: in the worker, to wait would be to
hold it up."""
INTERRUPTS = (
    a_wait_is_interrupted,
    a_wait_of_a_stream_is_interrupted,
    the_word_of_an_end_may_be_quicker,
)
