"""What the server knows of a model, and how `headrace check` words it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from headrace.model.api import Model
from headrace.model.deployment import deployment
from headrace.model.served import describe


class One(Model):
    def predict(self, x: Any) -> Any:
        return x


class Many(Model):
    def predict_batch(self, xs: list[Any]) -> list[Any]:
        return xs


@deployment(max_ongoing_requests=5)
class Each(Model):
    def predict(self, x: Any) -> Iterator[Any]:
        yield x


class EachAsync(Model):
    async def predict(self, x: Any) -> AsyncIterator[Any]:
        yield x


@deployment(max_batch_size=4)
class Batch(Model):
    def predict_batch(self, xs: list[Any]) -> Iterator[list[Any]]:
        yield xs


@deployment(max_batch_size=8)
class Steps(Model):
    def admit(self, x: Any) -> Any:
        return x

    def step(self, states: list[Any]) -> list[Any]:
        return states


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (One, ""),
        (Many, "batches of up to 16"),
        (Each, "streams, up to 5 at once, each from its own generator"),
        (EachAsync, "streams, up to 16 at once, each from its own generator"),
        (Batch, "streams, in batches of up to 4, one generator for each batch"),
        (Steps, "streams, up to 8 at once, in common steps (continuous batching)"),
    ],
)
def test_it_is_said_how_a_model_answers_many(model: type[Model], words: str) -> None:
    assert describe(model).together == words
