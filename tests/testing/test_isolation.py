"""A model that lets one request see another is caught, and told how; an honest one is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import numpy as np
import pytest

import headrace as hr
from headrace.testing import check_isolation
from tests.model.making import LAYOUTS, Layout

INPUTS = [1, 2, 3, 4, 5]


class Adds(hr.Model):
    def setup(self, device: str) -> None:
        self.addend = 10

    def predict(self, value: int) -> int:
        return value + self.addend


class Counts(hr.Model):
    """Every hook, and a context used as it should be."""

    def decode_request(self, value: int, context: hr.Context, **_: Any) -> int:
        context["value"] = value
        return value

    def predict_batch(self, values: list[int], contexts: list[hr.Context]) -> list[int]:
        for context in contexts:
            context["batch"] = len(values)
        return [value * 2 for value in values]

    def encode_response(self, output: int, context: hr.Context) -> dict[str, int]:
        context.status = 201
        context.response_headers["X-Value"] = str(context["value"])
        return {"in": context["value"], "out": output}


class Choosy(hr.Model):
    def predict(self, value: int) -> int:
        if value == 3:
            raise hr.HTTPError(418, "not this one")
        return value


class Averages(hr.Model):
    def predict_batch(self, rows: list[list[float]]) -> np.ndarray:
        return np.array(rows, np.float32) @ np.full((2, 1), 0.1, np.float32)


class Remembers(hr.Model):
    cache: dict[int, int] = {}  # noqa: RUF012 - shared on purpose, and rightly

    def predict(self, value: int) -> int:
        return self.cache.setdefault(value, value * 2)


HONEST = [Adds, Counts, Choosy, Remembers]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("model", HONEST)
def test_an_honest_model_passes(model: type[hr.Model], layout: Layout) -> None:
    check_isolation(layout(model), INPUTS)


def test_rounding_is_no_leak() -> None:
    check_isolation(Averages, [[0.1, 0.2], [1e3, 7.7], [3.0, 4.0]])


class SharedDict(hr.Model):
    seen: dict[str, int] = {}  # noqa: RUF012 - the mistake

    def decode_request(self, value: int) -> int:
        self.seen["value"] = value
        return value

    def predict_batch(self, values: list[int]) -> list[int]:
        return values

    def encode_response(self, output: int) -> int:
        return self.seen["value"]


class FirstForAll(hr.Model):
    shared: dict[str, int] = {}  # noqa: RUF012 - the mistake

    def predict(self, value: int) -> int:
        return self.shared.setdefault("value", value)


class Sorts(hr.Model):
    def predict_batch(self, values: list[int]) -> list[int]:
        return sorted(values)


class ByPlace(hr.Model):
    def predict_batch(self, values: list[int]) -> list[int]:
        return [value + place for place, value in enumerate(values)]


class MutatedDefault(hr.Model):
    def predict(self, value: int) -> int:
        return self.total(value)

    def total(self, value: int, so_far: list[int] = []) -> int:  # noqa: B006 - the mistake
        so_far.append(value)
        return sum(so_far)


class Accumulates(hr.Model):
    def setup(self) -> None:
        self.count = 0

    def predict(self, value: int) -> int:
        self.count += 1
        return value * self.count


class OwnsContext(hr.Model):
    def decode_request(self, value: int, context: hr.Context) -> int:
        context["value"] = value
        self.context = context
        return value

    def predict_batch(self, values: list[int]) -> list[int]:
        return values

    def encode_response(self, output: int) -> int:
        return int(self.context["value"])


class FailsTogether(hr.Model):
    def predict_batch(self, values: list[int]) -> list[int]:
        if len(values) > 1 and 3 in values:
            raise ValueError("three is a crowd")
        return values


LEAKS = [
    (SharedDict, r"input 0 \(1\) gets another answer in a batch with inputs 1, .*: 5, not 1$"),
    (FirstForAll, r"input 0 \(1\) gets another answer in another order than alone: .*: 5, not 1$"),
    (Sorts, r"in a shuffled batch with inputs"),
    (ByPlace, r"input 1 \(2\) gets another answer in a batch .*: answer: 3, not 2$"),
    (MutatedDefault, r"input 0 \(1\) gets another answer asked a second time than alone: .*: 16, "),
    (Accumulates, r"asked a second time than alone"),
    (OwnsContext, r"context was kept in self\.context after its request had ended"),
    (FailsTogether, r"in a batch .* answer: .predict_batch raised ValueError"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("model", "words"), LEAKS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_leak_is_caught(model: type[hr.Model], words: str, layout: Layout) -> None:
    with pytest.raises(AssertionError, match=words):
        check_isolation(layout(model), INPUTS)


def test_state_across_an_await_is_caught() -> None:
    class Waits(hr.Model):
        async def predict(self, value: int) -> int:
            self.value = value
            await asyncio.sleep(0)
            return self.value

    with pytest.raises(AssertionError, match="another answer side by side than alone"):
        check_isolation(Waits, INPUTS)


def test_a_context_kept_deep_in_the_model_is_caught_though_no_answer_shows_it() -> None:
    class Keeps(hr.Model):
        def setup(self) -> None:
            self.log: dict[str, list[hr.Context]] = {"all": []}

        def predict(self, value: int, context: hr.Context) -> int:
            self.log["all"].append(context)
            return value

    words = r"input 0 \(1\): its context was kept in self\.log after its request had ended"
    with pytest.raises(AssertionError, match=words):
        check_isolation(Keeps, INPUTS)


def test_writing_into_anothers_context_is_caught() -> None:
    others: list[hr.Context] = []

    class Scribbles(hr.Model):
        def decode_request(self, value: int, context: hr.Context) -> int:
            for other in others:
                other["mine"] = value
            others.append(context)
            return value

        def predict_batch(self, values: list[int], contexts: list[hr.Context]) -> list[int]:
            return values

    with pytest.raises(AssertionError, match="was changed after its own hooks had returned"):
        check_isolation(Scribbles, INPUTS)


def test_writing_between_two_hooks_of_another_request_is_caught() -> None:
    @hr.deployment(max_batch_size=2)
    class Scribbles(hr.Model):
        def setup(self) -> None:
            self.last: list[hr.Context] = []

        def decode_request(self, value: int, context: hr.Context) -> int:
            for other in self.last:
                other.status = 202
            self.last = [context]
            return value

        def predict_batch(self, values: list[int], contexts: list[hr.Context]) -> list[int]:
            self.last = []
            return values

        def encode_response(self, output: int, context: hr.Context) -> int:
            context.status = 200
            return output

    with pytest.raises(AssertionError, match=r"was changed before predict_batch by a hook of anot"):
        check_isolation(Scribbles, INPUTS)


def test_what_a_class_shares_is_left_as_it_was() -> None:
    Remembers.cache.clear()
    Remembers.cache[99] = 1
    check_isolation(Remembers, INPUTS)
    assert Remembers.cache == {99: 1}


def test_bytes_are_sent_as_they_are() -> None:
    class Sizes(hr.Model):
        def predict(self, body: bytes, context: hr.Context) -> list[Any]:
            return [len(body), context.headers["content-type"]]

    class Parses(hr.Model):
        def predict(self, values: Annotated[list[int], hr.Decode(list)]) -> int:
            return sum(values)

    check_isolation(Sizes, [b"1", b"22"], content_type="image/png")
    check_isolation(Parses, [b"1", b"22"])


def test_it_may_be_called_in_an_async_test() -> None:
    async def test() -> None:
        check_isolation(Adds, INPUTS)

    asyncio.run(test())


def test_every_model_is_torn_down() -> None:
    lives: list[str] = []

    class Lives(hr.Model):
        async def setup(self) -> None:
            lives.append("up")

        def predict(self, value: int) -> int:
            return value

        async def teardown(self) -> None:
            lives.append("down")

    check_isolation(Lives, INPUTS)
    assert lives == ["up", "down"] * (len(lives) // 2)


def test_nothing_to_compare_is_no_success() -> None:
    with pytest.raises(ValueError, match="at least two"):
        check_isolation(Adds, [1])
    with pytest.raises(AssertionError, match="every input failed"):
        check_isolation(Adds, ["a", "b"])


class Streams(hr.Model):
    def predict(self, value: int) -> Iterator[int]:
        yield value
        yield value * 2


class StreamsTogether(hr.Model):
    def predict_batch(self, values: list[int]) -> Iterator[list[int]]:
        yield values
        yield [value * 2 for value in values]


class StreamsOfAll(hr.Model):
    def __init__(self) -> None:
        self.total = 0

    async def predict(self, value: int) -> AsyncIterator[int]:
        self.total += value
        yield value
        yield self.total


@pytest.mark.parametrize("model", [Streams, StreamsTogether])
def test_an_honest_stream_passes(model: type[hr.Model]) -> None:
    check_isolation(model, INPUTS)


def test_a_stream_that_leaks_is_caught() -> None:
    with pytest.raises(AssertionError, match="another answer"):
        check_isolation(StreamsOfAll, INPUTS)
