"""Only those items of a batch fail that fail alone, in both layouts, in few runs."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from math import ceil, log2
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import Cancelled, HTTPError, Unprocessable
from headrace.model.api import Model
from headrace.model.bisecting import MOST_IN_VAIN
from headrace.model.context import Context, abandon
from headrace.model.deployment import deployment
from headrace.model.envelope import Envelope, Fault, Reply
from tests.model.making import LAYOUTS, Layout, envelope, plan_of, run

layouts = pytest.mark.parametrize("layout", LAYOUTS)
SEE_LOG = "see the server's log under this request id"


class Picky(Model):
    """Raise for every batch that holds a bad number; note each batch that was asked for."""

    def __init__(self) -> None:
        self.bad: set[int] = set()
        self.error: BaseException = ValueError("secret")
        self.batches: list[list[int]] = []
        self.seen: list[Context] = []

    def decode_request(self, number: int, context: Context) -> int:
        assert not context, "a Context is of one attempt"
        context["number"] = number
        self.seen.append(context)
        return number

    def predict_batch(self, numbers: list[int], contexts: list[Context]) -> list[int]:
        assert [context["number"] for context in contexts] == numbers
        self.batches.append(list(numbers))
        if self.bad & set(numbers):
            raise self.error
        return [-number for number in numbers]


@deployment(isolate_batch_errors=False)
class PickyTogether(Picky):
    pass


def asked(numbers: Sequence[int]) -> list[Envelope]:
    return [envelope(str(number), label=f"r-{number}") for number in numbers]


def served(cls: type[Model], *rounds: Sequence[int], bad: set[int]) -> tuple[Any, list[Reply]]:
    """Run one call after the other on one model; return it, and what the last call came to."""
    plan = plan_of(cls)
    model: Any = plan.make()
    model.bad = bad
    replies: list[Reply] = []
    for numbers in rounds:
        model.batches.clear()
        replies = run(plan, asked(numbers), model)
    return model, replies


def failed(replies: Sequence[Reply]) -> set[int]:
    return {place for place, reply in enumerate(replies) if isinstance(reply, Fault)}


PLANS = [plan_of(layout(Picky)) for layout in LAYOUTS]


@settings(max_examples=60)
@given(st.integers(1, 40), st.data(), st.sampled_from(PLANS))
def test_exactly_the_bad_items_fail_in_few_runs(count: int, data: Any, plan: Any) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1)))
    model = plan.make()
    model.bad = bad
    run(plan, asked([1000]), model)  # the streak of one example is not the next one's
    replies = run(plan, asked(range(count)), model)
    assert failed(replies) == bad
    for number, reply in enumerate(replies):
        if number not in bad:
            assert reply == str(-number).encode()
    extra = len(model.batches) - 2
    assert extra <= 2 * len(bad) * ceil(log2(count)) if count > 1 else extra == 0
    assert extra <= 2 * count


@layouts
def test_a_batch_that_does_not_raise_is_run_once(layout: Layout) -> None:
    model, _ = served(layout(Picky), range(16), bad=set())
    assert model.batches == [list(range(16))]


SEARCHES: list[tuple[set[int], list[list[int]]]] = [
    ({0}, [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]]),
    ({3}, [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]),
    ({1, 2}, [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3], [2], [3]]),
]


@layouts
@pytest.mark.parametrize(("bad", "batches"), SEARCHES)
def test_the_halves_are_run_in_the_order_of_arrival(
    bad: set[int], batches: list[list[int]], layout: Layout
) -> None:
    model, replies = served(layout(Picky), range(4), bad=bad)
    assert model.batches == batches
    assert failed(replies) == bad


@layouts
def test_each_run_is_an_attempt_with_a_context_of_its_own(layout: Layout) -> None:
    model, _ = served(layout(Picky), range(4), bad={3})
    attempts = {n: [c.attempt for c in model.seen if c["number"] == n] for n in range(4)}
    assert attempts == {0: [1, 2], 1: [1, 2], 2: [1, 2, 3], 3: [1, 2, 3]}
    assert len({id(context) for context in model.seen}) == 10
    assert [c.cancelled for c in model.seen if c["number"] == 3] == [True, True, False]


@layouts
def test_the_log_names_the_guilty_and_tells_of_the_search(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    served(layout(Picky), range(2), bad={1})
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        (
            "WARNING",
            "requests r-0, r-1: predict_batch raised; each half runs again: ValueError: secret",
        ),
        ("ERROR", "request r-1: predict_batch raised"),
    ]


ERRORS = [
    (ValueError("secret"), 500, f"predict_batch raised ValueError; {SEE_LOG}"),
    (HTTPError(429, "later"), 429, "later"),
    (Unprocessable("too dark"), 422, "too dark"),
    (MemoryError(), 500, f"predict_batch raised MemoryError; {SEE_LOG}"),
]


@layouts
@pytest.mark.parametrize(("error", "status", "detail"), ERRORS)
def test_whatever_a_batch_raises_only_the_guilty_hear_of_it(
    error: Exception, status: int, detail: str, layout: Layout
) -> None:
    plan = plan_of(layout(Picky))
    model: Any = plan.make()
    model.bad, model.error = {5}, error
    replies = run(plan, asked(range(8)), model)
    assert failed(replies) == {5}
    assert isinstance(replies[5], Fault)
    assert (replies[5].status, replies[5].detail) == (status, detail)


def test_a_cancellation_that_came_by_itself_is_searched_too() -> None:
    plan = plan_of(LAYOUTS[1](Picky))
    model: Any = plan.make()
    model.bad, model.error = {2}, asyncio.CancelledError()
    assert failed(run(plan, asked(range(4)), model)) == {2}


@layouts
def test_what_is_no_exception_ends_the_search(layout: Layout) -> None:
    plan = plan_of(layout(Picky))
    model: Any = plan.make()
    model.bad, model.error = {2}, Cancelled()
    with pytest.raises(Cancelled):
        run(plan, asked(range(4)), model)
    assert model.batches == [[0, 1, 2, 3]]


@layouts
def test_three_batches_with_nothing_good_in_them_end_the_searching(layout: Layout) -> None:
    every = set(range(100))
    model, _ = served(layout(Picky), *[range(4)] * MOST_IN_VAIN, bad=every)
    assert len(model.batches) == 7, "the third one is still searched"
    model, replies = served(layout(Picky), *[range(4)] * (MOST_IN_VAIN + 1), bad=every)
    assert model.batches == [[0, 1, 2, 3]]
    assert failed(replies) == {0, 1, 2, 3}


@layouts
def test_one_batch_that_works_lets_the_searching_begin_again(layout: Layout) -> None:
    vain: list[Sequence[int]] = [range(4)] * MOST_IN_VAIN
    bad = {0, 1, 2, 3}
    _, replies = served(layout(Picky), *vain, [0, 9], bad=bad)
    assert failed(replies) == {0, 1}, "the mate pays while nothing is known to work"
    _, replies = served(layout(Picky), *vain, [8, 9], [0, 9], bad=bad)
    assert failed(replies) == {0}
    _, replies = served(layout(Picky), *vain[1:], [0, 9], *vain[1:], [1, 9], bad=bad)
    assert failed(replies) == {0}, "three in a row, not three in all"


@layouts
def test_single_requests_that_fail_say_nothing_about_batches(layout: Layout) -> None:
    _, replies = served(layout(Picky), [0], [0], [0], [0], [0, 1], bad={0})
    assert failed(replies) == {0}


@layouts
def test_it_can_be_turned_off(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    model, replies = served(layout(PickyTogether), range(4), bad={2})
    assert failed(replies) == {0, 1, 2, 3}
    assert model.batches == [[0, 1, 2, 3]]
    assert [r.getMessage() for r in caplog.records] == [
        "requests r-0, r-1, r-2, r-3: predict_batch raised"
    ]


class Short(Picky):
    def predict_batch(self, numbers: list[int], contexts: list[Context]) -> list[int]:
        return super().predict_batch(numbers, contexts)[1:]


@layouts
def test_a_wrong_length_is_the_models_bug_and_told_once(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    model, replies = served(layout(Short), range(4), bad=set())
    assert model.batches == [[0, 1, 2, 3]]
    assert failed(replies) == {0, 1, 2, 3}
    (record,) = caplog.records
    assert "predict_batch: returned 3 outputs for 4 inputs" in record.getMessage()


class Slow(Picky):
    """Take longer than some can wait, or lose one's client, then fail."""

    leaving: Context | None = None

    def predict_batch(self, numbers: list[int], contexts: list[Context]) -> list[int]:
        if not self.batches:
            latest = max(context.deadline for context in contexts if context.deadline < 1e12)
            sleep(max(0.0, latest - monotonic()))
            abandon(contexts[0])
        return super().predict_batch(numbers, contexts)


@layouts
def test_nobody_is_run_again_who_is_late_or_gone(layout: Layout) -> None:
    plan = plan_of(layout(Slow))
    model: Any = plan.make()
    model.bad = {3}
    calls = asked(range(4))
    calls[1] = envelope("1", deadline=monotonic() + 0.05)
    replies = run(plan, calls, model)
    statuses = [reply.status if isinstance(reply, Fault) else 200 for reply in replies]
    assert statuses == [499, 504, 200, 500]
    assert model.batches == [[0, 1, 2, 3], [2, 3], [2], [3]]


class Moody(Picky):
    """Refuse at the second attempt what was decoded at the first."""

    def decode_request(self, number: int, context: Context) -> int:
        if context.attempt == 2 and number == 1:
            raise HTTPError(409, "changed my mind")
        return super().decode_request(number, context)


@layouts
def test_an_item_may_fail_at_its_second_decoding(layout: Layout) -> None:
    model, replies = served(layout(Moody), range(4), bad={0})
    assert failed(replies) == {0, 1}
    assert model.batches == [[0, 1, 2, 3], [0], [2, 3]]


class Heavy:
    """Something a hook makes that is too large to keep."""


class Hoards(Picky):
    kept: weakref.ref[Heavy] | None = None

    def predict_batch(self, numbers: list[int], contexts: list[Context]) -> list[int]:
        heavy = Heavy()
        assert self.kept is None or self.kept() is None, "the run before still holds its memory"
        self.kept = weakref.ref(heavy)
        if len(numbers) > 1:
            raise MemoryError
        return numbers


@layouts
def test_a_run_has_let_go_of_its_memory_before_the_next_one(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    gc.disable()
    try:
        _, replies = served(layout(Hoards), range(4), bad=set())
    finally:
        gc.enable()
    assert failed(replies) == set(), "what is too much for the memory together is served apart"


class Proxy:
    """Raises when it is asked what it is, as an unbound proxy does."""

    @property  # type: ignore[misc] # that is the point
    def __class__(self) -> type:
        raise RuntimeError("nothing is bound")


class Lazy(Model):
    def predict_batch(self, numbers: list[int]) -> list[Any]:
        return [Proxy() if number == 1 else number for number in numbers]


@layouts
def test_an_output_that_will_not_be_looked_at_fails_alone(layout: Layout) -> None:
    assert failed(run(plan_of(layout(Lazy)), asked(range(3)))) == {1}
