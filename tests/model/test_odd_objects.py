"""Hostile items and words: some raise when they are looked at, some no file takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from headrace.errors import HTTPError
from headrace.model.api import DONE, Model
from headrace.model.context import Context
from headrace.model.envelope import Closed, Fault
from tests.model.making import ask, envelope, plan_of, run
from tests.model.test_streaming import body_of, played

HALF = "\ud800"


class Liar:
    """Raises whenever somebody asks what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("a secret of the model")


def rows(numbers: list[int]) -> Iterator[list[Any]]:
    yield [1] * len(numbers)
    yield [Liar() if n < 0 else DONE for n in numbers]


class Lies(Model):
    def predict(self, n: int) -> Iterator[Any]:
        yield 1
        if n < 0:
            yield Liar()


class LiesAsync(Model):
    async def predict(self, n: int) -> AsyncIterator[Any]:
        yield 1
        if n < 0:
            yield Liar()


class LiesTogether(Model):
    def predict_batch(self, numbers: list[int]) -> Iterator[list[Any]]:
        yield from rows(numbers)
        yield []


class LiesTogetherAsync(Model):
    async def predict_batch(self, numbers: list[int]) -> AsyncIterator[list[Any]]:
        for row in rows(numbers):
            await asyncio.sleep(0)
            yield row


class LiesInStep(Model):
    def admit(self, n: int) -> list[int]:
        return [n]

    def step(self, states: list[list[int]]) -> list[Any]:
        return [self.next(state) for state in states]

    def next(self, state: list[int]) -> Any:
        state.append(1)
        return 1 if len(state) == 2 else Liar() if state[0] < 0 else DONE


class LiesInStepAsync(LiesInStep):
    async def step(self, states: list[list[int]]) -> list[Any]:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().step(states)


MODELS = (Lies, LiesAsync, LiesTogether, LiesTogetherAsync, LiesInStep, LiesInStepAsync)


@pytest.mark.parametrize("model", MODELS)
def test_an_item_that_raises_when_looked_at_fails_its_own_stream_only(model: type[Model]) -> None:
    (parts, reply), (others, other) = played(model, envelope("-1"), envelope("1"))
    assert (body_of(parts), body_of(others)) == (b"1\n", b"1\n")
    assert isinstance(reply, Fault)
    assert reply.code == "hook_failed"
    assert other == Closed()


class Says(Model):
    """Raises as it is told to."""

    def predict(self, how: str, context: Context) -> str:
        if how == "header":
            raise HTTPError(400, "no", {"X-Odd": HALF})
        if how == "long":
            raise ValueError(HALF * 100_000)
        if how == "note":
            error = ValueError("plain")
            error.add_note(HALF)
            raise error
        if how == "answer":
            context.response_headers["X-Odd"] = HALF
            return "fine"
        raise type(f"Odd{HALF}", (ValueError,), {})(HALF)


class SaysTogether(Model):
    """Raises for a batch, which is then tried again in halves."""

    def predict_batch(self, inputs: list[str]) -> list[str]:
        raise ValueError(HALF)


@pytest.mark.parametrize("how", ["header", "long", "note", "answer", "class"])
def test_what_is_logged_of_an_error_can_be_written_to_any_file(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = ask(Says, f'"{how}"'.encode())
    assert isinstance(reply, Fault)
    assert reply.status == 500
    assert caplog.text.encode()
    assert r"\ud800" in caplog.text


def test_what_is_logged_of_a_batch_that_raised_can_be_written_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        replies = run(plan_of(SaysTogether), [envelope('"a"'), envelope('"b"')])
    assert all(isinstance(reply, Fault) for reply in replies)
    assert "each half runs again" in caplog.text
    assert caplog.text.encode()
