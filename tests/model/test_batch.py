"""`@hr.batch`: one item goes in, one result comes out; the function sees lists."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headrace as hr
from headrace.errors import ConfigError, HookFailed
from headrace.model.batch_shape import NOTE
from headrace.model.context import NoContext, current
from headrace.model.served import describe
from tests.support.loops import on_a_loop, turns


class Counting:
    """Doubles what it is given, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate: asyncio.Event | None = None

    @hr.batch(max_size=4)
    async def double(self, numbers: list[int]) -> list[int]:
        self.batches.append(list(numbers))
        if self.gate is not None:
            await self.gate.wait()
        return [2 * number for number in numbers]

    @hr.batch(max_size=4, wait_s=0.05)
    async def patient(self, numbers: list[int]) -> list[int]:
        self.batches.append(list(numbers))
        return numbers

    @hr.batch(max_size=2, max_ongoing=2)
    async def two_at_once(self, numbers: list[int]) -> list[int]:
        self.batches.append(list(numbers))
        assert self.gate is not None
        await self.gate.wait()
        return numbers


async def outcomes(*work: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*work, return_exceptions=True)


async def together(*work: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*work)


# --- when a batch is closed --------------------------------------------------------------


@on_a_loop
async def test_who_is_there_at_once_shares_a_batch() -> None:
    thing = Counting()
    assert await asyncio.gather(*(thing.double(n) for n in range(3))) == [0, 2, 4]
    assert thing.batches == [[0, 1, 2]]


@on_a_loop
async def test_one_alone_waits_for_nobody() -> None:
    thing = Counting()
    assert await thing.double(1) == 2
    assert thing.batches == [[1]]


@on_a_loop
async def test_a_full_batch_goes_and_the_next_gathers_while_it_is_at_work() -> None:
    thing = Counting()
    thing.gate = asyncio.Event()
    first = asyncio.gather(*(thing.double(n) for n in range(5)))
    await turns()
    second = asyncio.gather(*(thing.double(n) for n in range(5, 8)))
    await turns()
    assert thing.batches == [[0, 1, 2, 3]]
    thing.gate.set()
    assert await first == [0, 2, 4, 6, 8]
    assert await second == [10, 12, 14]
    assert thing.batches[1:] == [[4, 5, 6, 7]]


@on_a_loop
async def test_a_patient_batch_waits_for_others_after_the_first() -> None:
    thing = Counting()
    first = asyncio.ensure_future(thing.patient(1))
    await turns()
    assert not thing.batches
    assert await together(first, thing.patient(2)) == [1, 2]
    assert thing.batches == [[1, 2]]


@on_a_loop
async def test_a_patient_batch_that_is_full_waits_no_longer() -> None:
    thing, loop = Counting(), asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(thing.patient(n) for n in range(4)))
    assert loop.time() - began < 0.05
    assert thing.batches == [[0, 1, 2, 3]]


@on_a_loop
async def test_as_many_batches_run_at_once_as_are_allowed() -> None:
    thing = Counting()
    thing.gate = asyncio.Event()
    asking = asyncio.gather(*(thing.two_at_once(n) for n in range(6)))
    await turns()
    assert thing.batches == [[0, 1], [2, 3]]
    thing.gate.set()
    assert await asking == list(range(6))


# --- whose queue it is -------------------------------------------------------------------


@on_a_loop
async def test_each_object_has_a_queue_of_its_own() -> None:
    one, two = Counting(), Counting()
    await asyncio.gather(one.double(1), two.double(2), one.double(3))
    assert (one.batches, two.batches) == ([[1, 3]], [[2]])


@on_a_loop
async def test_a_queue_goes_with_its_object() -> None:
    beside = getattr(Counting.double, NOTE).beside
    gc.collect()
    before, thing = len(beside), Counting()
    await thing.double(1)
    assert len(beside) == before + 1
    gone = weakref.ref(thing)
    del thing
    await turns()  # the batch's own end is told in the next one
    gc.collect()
    assert gone() is None
    assert len(beside) == before


@on_a_loop
async def test_a_function_has_a_queue_too() -> None:
    batches = []

    @hr.batch(max_size=8)
    async def upper(texts: list[str]) -> list[str]:
        batches.append(len(texts))
        return [text.upper() for text in texts]

    assert await together(upper("a"), upper("b")) == ["A", "B"]
    assert batches == [2]


def test_an_object_serves_one_loop_after_the_other() -> None:
    thing = Counting()
    assert asyncio.run(thing.double(1)) == 2
    assert asyncio.run(thing.double(2)) == 4


@on_a_loop
async def test_an_object_that_nobody_can_watch_is_told_apart() -> None:
    class Tight:
        __slots__ = ()

        @hr.batch()
        async def f(self, xs: list[int]) -> list[int]:
            return xs

    with pytest.raises(ConfigError, match="add `__weakref__` to its `__slots__`"):
        await Tight().f(1)


# --- what the function gets --------------------------------------------------------------


@on_a_loop
async def test_several_lists_are_aligned_by_position_and_by_name() -> None:
    seen = []

    class Ask:
        @hr.batch()
        async def ask(self, texts: list[str], top_k: Any = 3, *, lang: Any = "en") -> list[Any]:
            seen.append((texts, top_k, lang))
            return list(zip(texts, top_k, lang, strict=True))

    thing: Any = Ask()
    found = await together(thing.ask("a"), thing.ask("b", 5), thing.ask("c", lang="de"))
    assert found == [("a", 3, "en"), ("b", 5, "en"), ("c", 3, "de")]
    assert seen == [(["a", "b", "c"], [3, 5, 3], ["en", "en", "de"])]
    with pytest.raises(TypeError, match=r"ask\(\) takes one item of each list: .*'texts'"):
        await thing.ask()


@on_a_loop
async def test_it_may_return_any_sequence_of_the_right_length() -> None:
    class Odd:
        answer: Any = None

        @hr.batch()
        async def f(self, xs: list[int]) -> Any:
            return self.answer

    thing = Odd()
    thing.answer = (7,)
    assert await thing.f(1) == 7
    thing.answer = [1, 2]
    failed = await outcomes(thing.f(1), thing.f(2), thing.f(3))
    assert {type(each) for each in failed} == {HookFailed}
    assert "returned 2 outputs for 3 inputs" in str(failed[0])
    thing.answer = {"a": 1}
    with pytest.raises(HookFailed, match="returned a dict, which has no order"):
        await thing.f(1)


# --- failures ----------------------------------------------------------------------------


class Fragile:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    @hr.batch(max_size=8)
    async def f(self, xs: list[int]) -> list[Any]:
        self.batches.append(xs)
        if any(x < 0 for x in xs):
            raise ValueError(f"negative: {min(xs)}")
        return [KeyError(x) if x == 13 else x for x in xs]

    @hr.batch(max_size=8, isolate=False)
    async def all_or_none(self, xs: list[int]) -> list[int]:
        self.batches.append(xs)
        raise ValueError("no")


@on_a_loop
async def test_an_exception_in_the_list_fails_that_item_alone() -> None:
    thing = Fragile()
    one, two, three = await outcomes(thing.f(1), thing.f(13), thing.f(3))
    assert (one, three, type(two)) == (1, 3, KeyError)


@given(st.lists(st.integers(-2, 20), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_batch_that_raises_fails_only_those_that_fail_alone(numbers: list[int]) -> None:
    thing = Fragile()

    async def ask() -> list[Any]:
        return await outcomes(*(thing.f(number) for number in numbers))

    for number, outcome in zip(numbers, asyncio.run(ask()), strict=True):
        if number < 0:
            assert str(outcome) == f"negative: {number}"
        else:
            assert outcome == number or (number == 13 and type(outcome) is KeyError)


@on_a_loop
async def test_without_isolation_all_fail_and_each_has_an_error_of_its_own() -> None:
    thing = Fragile()
    one, two = await outcomes(thing.all_or_none(1), thing.all_or_none(2))
    assert len(thing.batches) == 1
    assert type(one) is type(two) is ValueError
    assert one is not two
    one.add_note("of the first")
    assert not hasattr(two, "__notes__")


@on_a_loop
async def test_what_is_broken_as_a_whole_is_not_searched_for_ever() -> None:
    thing = Fragile()
    for _ in range(3):
        await outcomes(*(thing.f(-1) for _ in range(4)))
    thing.batches.clear()
    await outcomes(*(thing.f(-1) for _ in range(4)))
    assert len(thing.batches) == 1
    assert await thing.f(1) == 1
    thing.batches.clear()
    assert (await outcomes(thing.f(-1), thing.f(2)))[1] == 2


@on_a_loop
async def test_a_cancelled_error_that_comes_up_by_itself_cancels_nobody() -> None:
    @hr.batch()
    async def f(xs: list[int]) -> list[int]:
        raise asyncio.CancelledError

    failed = await outcomes(f(1), f(2))
    assert [type(each) for each in failed] == [HookFailed, HookFailed]


@on_a_loop
async def test_a_batch_that_calls_itself_is_told_so() -> None:
    @hr.batch()
    async def f(xs: list[int]) -> list[int]:
        return [await f(x) for x in xs]

    with pytest.raises(hr.HeadraceError, match="calls itself from within its batch"):
        await f(1)


# --- callers who leave -------------------------------------------------------------------


@on_a_loop
async def test_who_leaves_before_the_batch_begins_is_not_in_it() -> None:
    thing = Counting()
    thing.gate = asyncio.Event()
    first = asyncio.ensure_future(thing.double(0))
    await turns()
    waiting = [asyncio.ensure_future(thing.double(n)) for n in (1, 2, 3)]
    await turns()
    waiting[1].cancel()
    thing.gate.set()
    assert await first == 0
    assert await outcomes(waiting[0], waiting[2]) == [2, 6]
    assert thing.batches == [[0], [1, 3]]


@on_a_loop
async def test_who_leaves_a_running_batch_takes_nobody_along_and_the_last_ends_it() -> None:
    ended: list[str] = []
    gate = asyncio.Event()

    @hr.batch()
    async def f(xs: list[int]) -> list[int]:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return xs

    callers = [asyncio.ensure_future(f(n)) for n in range(2)]
    await turns()
    callers[0].cancel()
    await turns()
    assert not ended
    callers[1].cancel()
    await turns()
    assert ended == ["cancelled"]
    gate.set()
    assert await f(7) == 7  # the queue goes on


@on_a_loop
async def test_a_caller_may_have_its_own_time_out() -> None:
    thing = Counting()
    thing.gate = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await thing.double(1)
    await turns()
    thing.gate.set()
    assert await thing.double(2) == 4


# --- contexts stay apart -----------------------------------------------------------------

USER: ContextVar[str] = ContextVar("user", default="nobody")


@on_a_loop
async def test_nothing_of_a_caller_is_in_the_batch_and_nothing_of_the_batch_in_a_caller() -> None:
    seen = []

    @hr.batch()
    async def f(xs: list[int]) -> list[int]:
        seen.append(USER.get())
        USER.set("the batch")
        with pytest.raises(NoContext, match="parameter `contexts`"):
            hr.current_context()
        return xs

    async def ask(name: str) -> str:
        USER.set(name)
        await f(1)
        return USER.get()

    names = await asyncio.gather(*(asyncio.create_task(ask(name)) for name in "abc"))
    assert (seen, names) == (["nobody"], ["a", "b", "c"])


@on_a_loop
async def test_contexts_are_those_of_the_callers_in_their_order() -> None:
    @hr.batch()
    async def f(xs: list[str], contexts: list[hr.Context]) -> list[str]:
        for x, context in zip(xs, contexts, strict=True):
            context["seen"] = x
        return [context.request_id for context in contexts]

    async def ask(name: str) -> tuple[str, object]:
        context = hr.Context(request_id=name)
        current.set(context)
        return await f(f"by {name}"), context["seen"]

    found = await asyncio.gather(*(asyncio.create_task(ask(name)) for name in "abc"))
    assert found == [("a", "by a"), ("b", "by b"), ("c", "by c")]
    assert await f("in a test") == "test"  # a context made for it


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=500))
@settings(max_examples=15, deadline=None)
def test_of_hundreds_of_callers_each_gets_its_own(callers: list[tuple[int, bool]]) -> None:
    @hr.batch(max_size=7, max_ongoing=3)
    async def f(xs: list[int], contexts: list[hr.Context]) -> list[Any]:
        await turns(xs[0] % 3)
        if any(x % 50 == 49 for x in xs):
            raise LookupError(max(xs))
        each = zip(xs, contexts, strict=True)
        return [(x, context.request_id, context["mine"]) for x, context in each]

    async def ask(number: int, delay: int, *, leaves: bool) -> Any:
        context = hr.Context(request_id=f"r{number}")
        context["mine"] = number
        current.set(context)
        USER.set(str(number))
        await turns(delay)
        asked = asyncio.ensure_future(f(number))
        if leaves:
            await turns(1)
            asked.cancel()
        (outcome,) = await outcomes(asked)
        assert USER.get() == str(number)
        assert hr.current_context() is context
        return outcome

    async def ask_all() -> list[Any]:
        each = enumerate(callers)
        return await asyncio.gather(
            *(asyncio.create_task(ask(n, delay, leaves=leaves)) for n, (delay, leaves) in each)
        )

    for number, outcome in enumerate(asyncio.run(ask_all())):
        judge(number, outcome, leaves=callers[number][1])


def judge(number: int, outcome: Any, *, leaves: bool) -> None:
    if leaves:
        assert isinstance(outcome, asyncio.CancelledError) or outcome[0] == number
    elif number % 50 == 49:
        assert type(outcome) is LookupError
        assert outcome.args == (number,)
    else:
        assert outcome == (number, f"r{number}", number)


# --- mistakes ----------------------------------------------------------------------------


def test_mistakes_are_told_where_they_are_written() -> None:
    with pytest.raises(ConfigError, match="`max_size` must be a whole number of 1 or more, not 0"):
        hr.batch(max_size=0)
    with pytest.raises(ConfigError, match="`wait_s` must be a number of seconds"):
        hr.batch(wait_s=-1)
    for function, words in MISTAKES:
        with pytest.raises(ConfigError, match=words):
            hr.batch()(function)


def not_async(xs: list[int]) -> list[int]:
    return xs


async def no_list() -> list[int]:
    return []


async def any_lists(*xs: list[int]) -> list[int]:
    return xs[0]


async def of_one(xs: list[int], context: hr.Context) -> list[int]:
    return xs


MISTAKES: list[tuple[Any, str]] = [
    (not_async, "not_async: it is not `async def`"),
    (no_list, "no_list: it takes no list"),
    (any_lists, "any_lists: it takes `\\*xs"),
    (of_one, "take `contexts`"),
    (staticmethod(no_list), "a static method has no object"),
]


class BatchedHook(hr.Model):
    @hr.batch()
    async def predict(self, texts: list[str]) -> list[str]:
        return texts


def test_a_hook_of_a_model_is_told_of_predict_batch() -> None:
    with pytest.raises(ConfigError, match="write `predict_batch`, which gets whole requests"):
        describe(BatchedHook)


@on_a_loop
async def test_it_is_a_function_like_any_other_to_who_looks_at_it() -> None:
    assert asyncio.iscoroutinefunction(Counting.double)
    assert Counting.double.__name__ == "double"
    thing = Counting()
    assert await Counting.double(thing, 4) == 8
