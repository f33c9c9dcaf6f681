"""Many models per replica, in every layout; each says what it loads and tears down."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import headrace as hr

LOAD_S = 0.05


class Weights:
    def __init__(self, name: str) -> None:
        self.name = name
        print(f"up {name} in {os.getpid()}", flush=True)

    def teardown(self) -> None:
        print(f"down {self.name} in {os.getpid()}", flush=True)


def told(weights: Weights, x: int) -> dict[str, Any]:
    return {"model": weights.name, "pid": os.getpid(), "x": x}


@hr.deployment(replicas=2)
class Leaf(hr.Model):
    @hr.multiplexed(max_models=2)
    def load(self, model_id: str) -> Weights:
        if model_id == "broken":
            raise OSError("no such weights")
        time.sleep(LOAD_S)
        return Weights(model_id)

    def predict(self, x: int) -> dict[str, Any]:
        return told(self.load(), x)


@hr.deployment(replicas=2)
class Loop(hr.Model):
    @hr.multiplexed(max_models=2)
    async def load(self, model_id: str) -> Weights:
        await asyncio.sleep(LOAD_S)
        return Weights(model_id)

    async def predict(self, x: int) -> dict[str, Any]:
        weights = await self.load()
        await asyncio.sleep(0.005)
        return told(weights, x)


@hr.deployment(replicas=2, max_ongoing_requests=4)
class Threads(hr.Model):
    @hr.multiplexed(max_models=2)
    def load(self, model_id: str) -> Weights:
        time.sleep(LOAD_S)
        return Weights(model_id)

    def predict(self, x: int) -> dict[str, Any]:
        return told(self.load(), x)


@hr.deployment(replicas=2, max_batch_size=8)
class Batches(hr.Model):
    @hr.multiplexed(max_models=2)
    def load(self, model_id: str) -> Weights:
        time.sleep(LOAD_S)
        return Weights(model_id)

    def predict_batch(self, xs: list[int], contexts: list[hr.Context]) -> list[dict[str, Any]]:
        weights = self.load()
        assert {context.model_id for context in contexts} == {weights.name}
        return [told(weights, x) for x in xs]


@hr.deployment(replicas=2)
class Plain:
    @hr.multiplexed(max_models=2)
    async def load(self, model_id: str) -> Weights:
        await asyncio.sleep(LOAD_S)
        return Weights(model_id)

    async def __call__(self) -> dict[str, Any]:
        return told(await self.load(), 0)


@hr.deployment(max_ongoing_requests=64)
class Front(hr.Model):
    """Gathers single items of many requests, and asks for models by name."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    @hr.batch(max_size=16, wait_s=0.02)
    async def double(self, xs: list[int], contexts: list[hr.Context]) -> list[Any]:
        self.sizes.append(len(xs))
        for x, context in zip(xs, contexts, strict=True):
            context["x"] = x
        return [ValueError(x) if x < 0 else 2 * x for x in xs]

    async def predict(self, x: int, context: hr.Context, model: str = "") -> dict[str, Any]:
        if model:
            answer: dict[str, Any] = await hr.handle(Loop).options(model_id=model)(x)
            return answer
        doubled = await self.double(x)
        assert context["x"] == x
        return {"x": doubled, "most": max(self.sizes)}


both = hr.Server(Front, Loop)
