"""Every kind of hook, each in a deployment: all note in the context whose it is, and look first.

A mark that is there and should not be is another request's: then the hook raises Foreign.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import headrace as hr

PAUSE_S = 0.005  # most of them sleep: a replica that is killed had something to do
Ask = dict[str, Any]
Said = dict[str, Any]


class Foreign(Exception):
    """A hook saw what belongs to another request."""


def mark(context: hr.Context, hook: str, nonce: str, *, again: bool = False) -> None:
    """Note that this hook ran for this request; `again` where it runs for each item."""
    others = {found for found in context.values() if found != nonce}
    if others or context.request_id != nonce or (hook in context and not again):
        raise Foreign(f"{hook} of {nonce} found {context!r}")
    context[hook] = nonce


def mark_here(context: hr.Context, hook: str, nonce: str, *, again: bool = False) -> None:
    """Do so in a hook that runs for one request."""
    if hr.current_context() is not context:
        raise Foreign(f"{hook} of {nonce} runs in the context of {hr.current_context()!r}")
    mark(context, hook, nonce, again=again)


def item(ask: Ask, index: int = 0) -> Said:
    return {"nonce": ask["nonce"], "index": index, "text": ask["text"]}


class Marking:
    """The hooks before and after."""

    def decode_request(self, request: Ask, context: hr.Context) -> Ask:
        if context:
            raise Foreign(f"decode_request of {request['nonce']} found {context!r}")
        mark_here(context, "decode_request", request["nonce"])
        return request

    def encode_response(self, output: Said, context: hr.Context) -> Any:
        mark_here(context, "encode_response", output["nonce"], again=True)
        said = {**output, "seen": dict(context), "attempt": context.attempt, "pid": os.getpid()}
        return json.dumps(said) + "\n" if output["text"] else said


class MarkingAsync:
    """The same, letting others run in between."""

    async def decode_request(self, request: Ask, context: hr.Context) -> Ask:
        if context:
            raise Foreign(f"decode_request of {request['nonce']} found {context!r}")
        mark_here(context, "decode_request", request["nonce"])
        await asyncio.sleep(0)
        return request

    async def encode_response(self, output: Said, context: hr.Context) -> Any:
        await asyncio.sleep(0)
        return Marking.encode_response(self, output, context)  # type: ignore[arg-type] # no state


# --- one request at a time, one answer ---------------------------------------------------------


@hr.deployment(replicas=2, max_queued_requests=40)
class Single(Marking, hr.Model):
    def predict(self, ask: Ask, context: hr.Context) -> Said:
        mark_here(context, "predict", ask["nonce"])
        time.sleep(2 * PAUSE_S)
        return item(ask)


@hr.deployment(replicas=2, max_ongoing_requests=8)
class Pooled(Marking, hr.Model):
    def predict(self, ask: Ask, context: hr.Context) -> Said:
        mark_here(context, "predict", ask["nonce"])
        time.sleep(10 * PAUSE_S)  # in threads, side by side
        return item(ask)


@hr.deployment(replicas=2)
class Waiting(MarkingAsync, hr.Model):
    async def predict(self, ask: Ask, context: hr.Context) -> Said:
        mark_here(context, "predict", ask["nonce"])
        await asyncio.sleep(10 * PAUSE_S)
        return item(ask)


# --- batches -----------------------------------------------------------------------------------


class Batching(Marking):
    def predict_batch(self, asks: list[Ask], contexts: list[hr.Context]) -> list[Said]:
        for ask, context in zip(asks, contexts, strict=True):
            mark(context, "predict_batch", ask["nonce"])
        time.sleep((1 + len(asks)) * PAUSE_S)
        return [item(ask) for ask in asks]


@hr.deployment(name="batch-1", replicas=2, max_batch_size=1)
class Batch1(Batching, hr.Model): ...


@hr.deployment(name="batch-4", replicas=2, max_batch_size=4, max_queued_requests=40)
class Batch4(Batching, hr.Model): ...


@hr.deployment(name="batch-32", replicas=2, max_batch_size=32, batch_wait_s=0.005)
class Batch32(Batching, hr.Model): ...


@hr.deployment(name="waiting-batch-8", replicas=2, max_batch_size=8)
class WaitingBatch8(MarkingAsync, hr.Model):
    async def predict_batch(self, asks: list[Ask], contexts: list[hr.Context]) -> list[Said]:
        for ask, context in zip(asks, contexts, strict=True):
            mark(context, "predict_batch", ask["nonce"])
            await asyncio.sleep(PAUSE_S)
        return [item(ask) for ask in asks]


# --- streams -----------------------------------------------------------------------------------


@hr.deployment(replicas=2)
class Generator(Marking, hr.Model):
    def predict(self, ask: Ask, context: hr.Context) -> Iterator[Said]:
        for index in range(ask["count"]):
            mark_here(context, "predict", ask["nonce"], again=True)
            time.sleep(PAUSE_S / 10)  # of all the streams, for one thread steps them
            yield item(ask, index)


@hr.deployment(replicas=2, max_queued_requests=40)
class WaitingGenerator(MarkingAsync, hr.Model):
    async def predict(self, ask: Ask, context: hr.Context) -> AsyncIterator[Said]:
        for index in range(ask["count"]):
            mark_here(context, "predict", ask["nonce"], again=True)
            await asyncio.sleep(PAUSE_S)
            yield item(ask, index)


def steps_of(asks: list[Ask], contexts: list[hr.Context]) -> Iterator[list[Any]]:
    """Give the items of one step after the other; who has all of theirs is done."""
    active, index = list(zip(asks, contexts, strict=True)), 0
    while active:
        for ask, context in active:
            mark(context, "predict_batch", ask["nonce"], again=True)
        yield [item(ask, index) if index < ask["count"] else hr.DONE for ask, _ in active]
        active = [(ask, context) for ask, context in active if index < ask["count"]]
        index += 1


@hr.deployment(replicas=2, max_batch_size=8)
class BatchGenerator(Marking, hr.Model):
    def predict_batch(self, asks: list[Ask], contexts: list[hr.Context]) -> Iterator[list[Any]]:
        for items in steps_of(asks, contexts):
            time.sleep(PAUSE_S)
            yield items


@hr.deployment(replicas=2, max_batch_size=16)
class WaitingBatchGenerator(MarkingAsync, hr.Model):
    async def predict_batch(
        self, asks: list[Ask], contexts: list[hr.Context]
    ) -> AsyncIterator[list[Any]]:
        for items in steps_of(asks, contexts):
            await asyncio.sleep(PAUSE_S)
            yield items


# --- continuous --------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class State:
    """One request on its way."""

    ask: Ask
    context: hr.Context
    told: int = 0

    def next(self) -> Any:
        mark(self.context, "step", self.ask["nonce"], again=True)
        if self.told == self.ask["count"]:
            return hr.DONE
        self.told += 1
        return item(self.ask, self.told - 1)


@hr.deployment(replicas=2, max_batch_size=8)
class Continuous(Marking, hr.Model):
    def admit(self, ask: Ask, context: hr.Context) -> State:
        mark(context, "admit", ask["nonce"])
        return State(ask, context)

    def step(self, states: list[State]) -> list[Any]:
        time.sleep(PAUSE_S)
        return [state.next() for state in states]

    def leave(self, state: State) -> None:
        mark(state.context, "leave", state.ask["nonce"])


@hr.deployment(replicas=2, max_batch_size=32)
class WaitingContinuous(MarkingAsync, hr.Model):
    async def admit(self, ask: Ask, context: hr.Context) -> State:
        mark(context, "admit", ask["nonce"])
        await asyncio.sleep(0)
        return State(ask, context)

    async def step(self, states: list[State]) -> list[Any]:
        await asyncio.sleep(PAUSE_S)
        return [state.next() for state in states]

    async def leave(self, state: State) -> None:
        mark(state.context, "leave", state.ask["nonce"])
