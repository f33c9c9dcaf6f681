"""Does a model keep its requests apart? Ask it everything alone, batched and shuffled.

Nothing here is random from run to run: a failure comes again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import msgspec

from headrace.model.api import Model
from headrace.model.deployment import options_of
from headrace.model.envelope import Envelope, Fault, Head, Reply
from headrace.model.hooks import Plan, compile_plan
from headrace.testing.answers import JSON, difference, shortly
from headrace.testing.pristine import Pristine
from headrace.testing.witness import Witness

SEED = 5
TOLERANCE = 1e-6
SERVER_ERROR = 500
DEVICE = "cpu"


def check_isolation(
    model: type[Model],
    inputs: Sequence[Any],
    *,
    content_type: str | None = None,
    tolerance: float = TOLERANCE,
) -> None:
    """Check that no request to `model` can see another one.

    Each input is what one client sends: `bytes` as they are under `content_type` (octet-stream),
    anything else as JSON. Give a few that have different answers. The model is set up anew some
    four times, and each input must get the answer that it gets alone: when asked again, in another
    order, in batches, and, with async hooks, side by side. Numbers may differ by `tolerance`.
    Each context must be fresh, seen by the hooks of its own request and kept by nobody.

    Raises AssertionError naming the input and the difference, ValueError for less than two inputs,
    and what `setup` raises.
    """
    if len(inputs) < 2:
        raise ValueError("give at least two inputs: one alone has nobody to be mixed up with")
    checker = _Checker(model, list(inputs), content_type or "application/octet-stream", tolerance)
    if _in_a_loop():  # a hook must be free to run one of its own
        with ThreadPoolExecutor(1) as pool:
            pool.submit(checker.check).result()
    else:
        checker.check()


@dataclass(frozen=True, slots=True)
class Round:
    """One way to ask everything: calls of so many inputs each, one after the other or at once."""

    name: str
    calls: list[list[int]]
    at_once: bool = False

    def mates(self, number: int) -> str:
        """Say with whom an input was asked."""
        others = [other for call in self.calls if number in call for other in call]
        others.remove(number)
        return f" with inputs {', '.join(map(str, others))}" if others else ""


@dataclass(slots=True)
class _Checker:
    model: type[Model]
    inputs: list[Any]
    content_type: str
    tolerance: float
    alone: dict[int, Reply] = field(default_factory=dict)

    def check(self) -> None:
        """Play every round, each set of them on a model of its own."""
        pristine = Pristine(self.model)
        for rounds in self._program():
            witness = Witness()
            with pristine.restored():
                self._play(witness, rounds)
            assert not witness.broken, self._named(witness.broken[0])

    def _program(self) -> Iterator[list[Round]]:
        """Give the rounds that share a model."""
        options = options_of(self.model)
        plan = compile_plan(self.model, options)
        order, chance = list(range(len(self.inputs))), random.Random(SEED)  # noqa: S311
        alone = [[number] for number in order]
        yield [Round("alone", alone), Round("asked a second time", alone)]
        yield [Round("in another order", alone[::-1])]
        shuffled = chance.sample(order, len(order))
        if plan.batched:
            size = options.max_batch_size
            yield [Round("in a batch", _cut(order, size))]
            yield [Round("in a shuffled batch", _cut(shuffled, min(size, len(order) // 2 + 1)))]
        if plan.layout == "async":
            yield [Round("side by side", [[number] for number in shuffled], at_once=True)]

    def _play(self, witness: Witness, rounds: list[Round]) -> None:
        watched = witness.behind(self.model)
        # A batch that fails only together is found out, not run again in halves.
        plan = compile_plan(watched, replace(options_of(watched), isolate_batch_errors=False))
        model = plan.make()
        with asyncio.Runner() as runner:
            try:
                _settle(runner, plan.setup(model, DEVICE, lambda *_: None))
                for each in rounds:
                    self._compare(each, self._ask(runner, plan, model, each))
                    witness.look_back(model)
                    witness.forget()
            finally:
                _settle(runner, plan.teardown(model))

    def _ask(
        self, runner: asyncio.Runner, plan: Plan, model: Model, asked: Round
    ) -> dict[int, Reply]:
        calls = [[self._envelope(number) for number in call] for call in asked.calls]
        if plan.layout == "sync":
            replies = [plan.run(model, call) for call in calls]
        else:
            replies = runner.run(_run(plan, model, calls, at_once=asked.at_once))
        return {
            number: reply
            for call, answers in zip(asked.calls, replies, strict=True)
            for number, reply in zip(call, answers, strict=True)
        }

    def _compare(self, asked: Round, replies: dict[int, Reply]) -> None:
        if not self.alone:
            self.alone = replies
            failed = [r for r in replies.values() if isinstance(r, Fault)]
            if len(failed) == len(replies):
                raise AssertionError(
                    f"every input failed, so there is nothing to compare: {failed[0].detail}"
                )
            return
        for number, reply in sorted(replies.items()):
            found = difference(reply, self.alone[number], self.tolerance)
            if found is not None:
                raise AssertionError(
                    f"input {number} ({shortly(self.inputs[number])}) gets another answer "
                    f"{asked.name}{asked.mates(number)} than alone: {found}"
                )

    def _envelope(self, number: int) -> Envelope:
        value = self.inputs[number]
        is_raw = isinstance(value, bytes)
        content_type = self.content_type if is_raw else JSON
        head = Head(
            "POST",
            "/predict",
            b"",
            [(b"content-type", content_type.encode("latin-1"))],
            "127.0.0.1",
        )
        body = value if is_raw else msgspec.json.encode(value)
        return Envelope(f"input {number}", inf, 1, content_type, body, head)

    def _named(self, broken: str) -> str:
        label, _, words = broken.partition(": ")
        number = int(label.removeprefix("input "))
        return f"{label} ({shortly(self.inputs[number])}): {words}"


async def _run(
    plan: Plan, model: Model, calls: list[list[Envelope]], *, at_once: bool
) -> list[list[Reply]]:
    if at_once:
        return await asyncio.gather(*(plan.run_async(model, call) for call in calls))
    return [await plan.run_async(model, call) for call in calls]


def _settle(runner: asyncio.Runner, work: Awaitable[None] | None) -> None:
    async def waited(work: Awaitable[None]) -> None:
        await work

    if work is not None:
        runner.run(waited(work))


def _cut(order: list[int], size: int) -> list[list[int]]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
