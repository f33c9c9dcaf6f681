"""A generator of a batch that raises before its first items: only those fail that fail alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.api import DONE, Model
from headrace.model.bisecting import MOST_IN_VAIN
from headrace.model.context import Context
from headrace.model.deployment import deployment
from headrace.model.envelope import Answer, Closed, Fault, Part, Reply
from tests.model.making import envelope, plan_of, run
from tests.model.test_streaming import Stage, body_of

Heard = list[tuple[list[Part], Reply | None]]


def countdowns(numbers: list[int]) -> Iterator[list[Any]]:
    """Count each number down, in step; 1000 fails at its second item."""
    left = list(numbers)
    while left:
        if 999 in left:
            raise ValueError("behind the first step")
        yield [n or DONE for n in left]
        left = [n - 1 for n in left if n > 0]


class Picky(Model):
    """Cannot begin with a negative number among its inputs."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.attempts: list[list[int]] = []
        self.seen: list[Context] = []

    def predict_batch(self, numbers: list[int], contexts: list[Context]) -> Iterator[list[Any]]:
        self.note(numbers, contexts)
        yield from countdowns(numbers)

    def note(self, numbers: list[int], contexts: list[Context]) -> None:
        self.batches.append(list(numbers))
        self.attempts.append([context.attempt for context in contexts])
        self.seen.extend(contexts)
        if min(numbers) < 0:
            raise ValueError("a secret of the model")


class PickyAsync(Picky):
    async def predict_batch(  # type: ignore[override]
        self, numbers: list[int], contexts: list[Context]
    ) -> AsyncIterator[list[Any]]:
        self.note(numbers, contexts)
        for row in countdowns(numbers):
            await asyncio.sleep(0)
            yield row


@deployment(isolate_batch_errors=False)
class Whole(Picky):
    """Is not to be tried again."""


@deployment(isolate_batch_errors=False)
class WholeAsync(PickyAsync):
    """Is not to be tried again."""


either = pytest.mark.parametrize("model", [Picky, PickyAsync])


def ask_all(stage: Stage, *numbers: int) -> Heard:
    async def play() -> Heard:
        return await stage.play(*(envelope(str(n)) for n in numbers))

    return asyncio.run(play())


def counted(n: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(n, 0, -1))


@either
@given(numbers=st.lists(st.integers(-1, 3), min_size=1, max_size=12))
def test_only_those_fail_that_fail_alone(model: type[Picky], numbers: list[int]) -> None:
    stage = Stage(model)
    for number, (parts, reply) in zip(numbers, ask_all(stage, *numbers), strict=True):
        if number < 0:
            assert not parts
            assert isinstance(reply, Fault)
            assert (reply.status, "secret" in reply.detail) == (500, False)
        else:
            assert (body_of(parts), reply) == (counted(number), Closed())


@either
def test_good_batches_are_run_once(model: type[Picky]) -> None:
    stage = Stage(model)
    ask_all(stage, 3, 1, 2)
    assert stage.model.batches == [[3, 1, 2]]  # type: ignore[attr-defined]


@either
def test_each_attempt_is_decoded_anew_in_a_context_of_its_own(model: type[Picky]) -> None:
    stage = Stage(model)
    ask_all(stage, 3, -1, 2, 1)
    picky: Any = stage.model
    assert sorted(picky.batches) == [[-1], [2, 1], [3], [3, -1], [3, -1, 2, 1]]
    attempts = dict(zip(map(tuple, picky.batches), picky.attempts, strict=True))
    assert attempts[3, -1, 2, 1] == [1, 1, 1, 1]
    assert attempts[2, 1] == [2, 2]
    assert attempts[3,] == [3]
    assert len({id(context) for context in picky.seen}) == len(picky.seen)
    assert all(context.cancelled for context in picky.seen[:4]), "a first attempt is over"


@either
def test_halves_go_on_side_by_side(model: type[Picky]) -> None:
    async def play() -> None:
        stage = Stage(model)
        outlets = stage.begin(*(envelope(str(n)) for n in (900, 2, -1, 3)))
        await stage.settle()
        long, *short = outlets
        assert long.reply is None, "it waits for its reader"
        assert [type(outlet.reply) for outlet in short] == [Closed, Fault, Closed]
        long.give_up()
        await stage.settle()
        assert isinstance(long.reply, Fault)
        if not stage.is_async:
            assert all(group.over for group in stage.groups)

    asyncio.run(play())


@either
def test_behind_the_first_step_an_error_ends_those_who_are_left(model: type[Picky]) -> None:
    stage = Stage(model)
    (whole, none), (cut, fault), (other, also) = ask_all(stage, 1, 1000, 5)
    assert (body_of(whole), type(none)) == (b"1\n", Fault), "its end was not told yet"
    assert (body_of(cut), body_of(other)) == (b"1000\n", b"5\n")
    assert isinstance(fault, Fault)
    assert fault == also
    assert stage.model.batches == [[1, 1000, 5]]  # type: ignore[attr-defined]


@either
def test_after_three_batches_in_vain_whole_ones_fail_until_one_is_good(model: type[Picky]) -> None:
    stage = Stage(model)
    picky: Any = stage.model
    for _ in range(MOST_IN_VAIN):
        ask_all(stage, -1, -2)
    stage.groups.clear()
    tried = len(picky.batches)
    assert tried == 3 * MOST_IN_VAIN
    assert all(isinstance(reply, Fault) for _, reply in ask_all(stage, -1, 1))
    assert picky.batches[tried:] == [[-1, 1]]
    ask_all(stage, 1)
    assert [type(reply) for _, reply in ask_all(stage, -1, 1)] == [Fault, Closed]


@pytest.mark.parametrize("model", [Whole, WholeAsync])
def test_it_can_be_turned_off(model: type[Picky]) -> None:
    stage = Stage(model)
    assert [type(reply) for _, reply in ask_all(stage, 1, -1)] == [Fault, Fault]
    assert stage.model.batches == [[1, -1]]  # type: ignore[attr-defined]


@either
def test_who_has_left_or_is_late_is_not_tried_again(model: type[Picky]) -> None:
    async def play() -> None:
        stage = Stage(model)
        picky: Any = stage.model
        bodies = [envelope("1"), envelope("2"), envelope("-1"), envelope("3")]
        outlets = stage.begin(*bodies)
        picky.note = leaving(picky, outlets)
        await stage.settle()
        assert picky.batches == [[1, 2, -1, 3], [1], [-1, 3], [-1], [3]]
        assert isinstance(outlets[1].reply, Fault)
        assert outlets[1].reply.status == 499

    def leaving(picky: Picky, outlets: list[Any]) -> Any:
        noted = type(picky).note

        def note(numbers: list[int], contexts: list[Context]) -> None:
            outlets[1].give_up()
            noted(picky, numbers, contexts)

        return note

    asyncio.run(play())


@either
def test_a_whole_answer_is_searched_too(model: type[Picky]) -> None:
    answers = run(plan_of(model), [envelope("1"), envelope("-1"), envelope("2")])
    assert [type(reply) for reply in answers] == [Answer, Fault, Answer]
