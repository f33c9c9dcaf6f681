"""What is stepped together in a streaming model with `async def`: as `stepping` does, awaiting.

Each group runs as one task, which may be cancelled. Sync generators are taken as well: the loop has
a turn after each of their items. `told` is called after each step: what may leave can leave.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from headrace.errors import ImpossibleStep
from headrace.model.answering import contexts_of, end, fail_all, has_room
from headrace.model.api import DONE
from headrace.model.calls import Call
from headrace.model.checks import Streams
from headrace.model.context import current
from headrace.model.envelope import Envelope
from headrace.model.faults import TOO_LATE, fault_of
from headrace.model.group import END, AsyncGroup, OpenAsync, Recipe
from headrace.model.joining import Member
from headrace.model.outlet import Outlet
from headrace.model.running_async import came_by_itself
from headrace.model.steps import dealt

Told = Callable[[], None]
_FAILS = (Exception, asyncio.CancelledError)


def open_with(streams: Streams, recipe: Recipe, model: Any) -> OpenAsync:
    """Give what begins the streams of a model, by the way it streams."""
    if streams == "each":
        return one_by_one(recipe, model)
    return as_a_batch(recipe, model) if streams == "batch" else continuously(recipe, model)


def one_by_one(recipe: Recipe, model: Any) -> OpenAsync:
    """Give each request a generator of its own."""

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[AsyncGroup, Outlet]]:
        return [together(Outlet(envelope, recipe.media)) for envelope in envelopes]

    def together(outlet: Outlet) -> tuple[AsyncGroup, Outlet]:
        return Generating(recipe, model, [outlet], alone=True), outlet

    return begin


def as_a_batch(recipe: Recipe, model: Any) -> OpenAsync:
    """Give each call a generator for all its requests."""

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[AsyncGroup, Outlet]]:
        outlets = [Outlet(envelope, recipe.media) for envelope in envelopes]
        group = Generating(recipe, model, outlets, alone=False)
        return [(group, outlet) for outlet in outlets]

    return begin


def continuously(recipe: Recipe, model: Any) -> OpenAsync:
    """Let every request join the ones that are under way."""
    group = Joined(recipe, model)

    def begin(envelopes: Sequence[Envelope]) -> list[tuple[AsyncGroup, Outlet]]:
        return [(group, group.join(Outlet(envelope, recipe.media))) for envelope in envelopes]

    return begin


class Generating:
    """One generator, for one request or for all of a call."""

    def __init__(self, recipe: Recipe, model: Any, outlets: list[Outlet], *, alone: bool) -> None:
        """Nothing runs before `run`; `alone` is a generator that gives the items of one request."""
        self._recipe, self._model, self._alone = recipe, model, alone
        self._outlets = self._active = outlets
        self._items: Any = None
        self._news = asyncio.Event()

    @property
    def unwanted(self) -> bool:
        """See `AsyncGroup`."""
        return not any(outlet.listening for outlet in self._active)

    @property
    def has_more(self) -> bool:
        """See `AsyncGroup`."""
        return False

    def wake(self) -> None:
        """See `AsyncGroup`."""
        self._news.set()

    def fail(self, error: BaseException) -> None:
        """See `AsyncGroup`."""
        fail_all(error, self._recipe.hook, self._outlets)
        self.close()

    def close(self) -> None:
        """See `AsyncGroup`."""
        for outlet in self._outlets:
            outlet.let_go()

    async def run(self, told: Told) -> None:
        """See `AsyncGroup`."""
        cut = True
        try:
            await self._receive_all()
            while not self.unwanted:
                if has_room(self._active):
                    await self._advance()
                    told()
                    await asyncio.sleep(0)  # one that never waits shares the loop all the same
                else:
                    self._news.clear()
                    await self._news.wait()
            cut = any(not outlet.wanted for outlet in self._active)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                fail_all(error, self._recipe.hook, self._outlets)
            raise
        finally:
            await _close(self._items, self._recipe, self._outlets, cut=cut)
            self.close()

    async def _receive_all(self) -> None:
        for outlet in self._outlets:
            if outlet.listening:
                await receive(self._recipe, self._model, outlet)
        self._active = [outlet for outlet in self._outlets if outlet.listening]

    async def _advance(self) -> None:
        current.set(self._active[0].context if self._alone else None)
        try:
            if self._items is None:
                self._items = self._begin()
            given = await _following(self._items)
            if given is END:
                outputs = [DONE] * len(self._active)
            else:
                outputs = [given] if self._alone else dealt(given, len(self._active))
        except _FAILS as error:
            if cancelled(error):
                raise
            fail_all(error, self._recipe.hook, self._active)
            return
        pairs = zip(self._active, outputs, strict=True)
        self._active = [
            outlet
            for outlet, output in pairs
            if await respond(self._recipe, self._model, outlet, output)
        ]

    def _begin(self) -> Any:
        values = [outlet.value for outlet in self._active]
        for outlet in self._active:
            outlet.value = None
        work, contexts = self._recipe.steps.work, contexts_of(self._active)
        if self._alone:
            items = work(self._model, values[0], contexts[0])
        else:
            items = work(self._model, values, contexts)
        return items if hasattr(items, "__anext__") else iter(items)


class Joined:
    """All the requests of one model: they join and leave between its steps."""

    def __init__(self, recipe: Recipe, model: Any) -> None:
        """Nobody is there yet."""
        self._recipe, self._model = recipe, model
        self._coming: deque[Outlet] = deque()
        self._members: list[Member] = []
        self._news = asyncio.Event()

    @property
    def unwanted(self) -> bool:
        """Never: a step that was cut short would leave the model's states half done."""
        return False

    @property
    def has_more(self) -> bool:
        """See `AsyncGroup`."""
        return bool(self._coming)

    def wake(self) -> None:
        """See `AsyncGroup`."""
        self._news.set()

    def join(self, outlet: Outlet) -> Outlet:
        """Admit a request before the next step."""
        self._coming.append(outlet)
        return outlet

    def fail(self, error: BaseException) -> None:
        """See `AsyncGroup`."""
        fail_all(error, self._recipe.hook, self._present())
        self.close()

    def close(self) -> None:
        """See `AsyncGroup`."""
        for outlet in self._present():
            outlet.let_go()
        self._coming.clear()
        self._members.clear()

    async def run(self, told: Told) -> None:
        """See `AsyncGroup`."""
        try:
            while self._coming or self._members:
                if self._coming or has_room([member.outlet for member in self._members]):
                    await self._advance()
                    told()
                    await asyncio.sleep(0)
                else:
                    self._news.clear()
                    await self._news.wait()
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                fail_all(error, self._recipe.hook, self._present())
            raise
        finally:
            for outlet in self._present():
                outlet.give_up()
            await self._part_with_those_who_left()

    def _present(self) -> list[Outlet]:
        return [*(member.outlet for member in self._members), *self._coming]

    async def _advance(self) -> None:
        await self._part_with_those_who_left()
        while self._coming:
            await self._admit(self._coming.popleft())
        if not self._members:
            return
        members = self._members
        current.set(None)
        try:
            rows = dealt(await self._outputs(), len(members))
        except _FAILS as error:
            if cancelled(error):
                raise
            fail_all(error, self._recipe.hook, [member.outlet for member in members])
            rows = [DONE] * len(members)
        for member, output in zip(members, rows, strict=True):
            await respond(self._recipe, self._model, member.outlet, output)
        await self._part_with_those_who_left()

    async def _outputs(self) -> Any:
        if self._recipe.step is None:
            raise ImpossibleStep("a model whose requests join has a `step`")
        states = [member.state for member in self._members]
        contexts = [member.outlet.context for member in self._members]
        return await _through(
            self._recipe, "step", self._recipe.step, self._model, states, contexts
        )

    async def _admit(self, outlet: Outlet) -> None:
        if outlet.listening:
            await receive(self._recipe, self._model, outlet)
        if not outlet.listening:
            outlet.let_go()
            return
        current.set(outlet.context)
        work = self._recipe.steps.work
        try:
            state = await _through(
                self._recipe, "admit", work, self._model, outlet.value, outlet.context
            )
            self._members.append(Member(outlet, state))
        except _FAILS as error:
            if cancelled(error):
                outlet.let_go()
                raise
            outlet.fail(fault_of(error, "admit", [outlet.context]))
        finally:
            outlet.value = None

    async def _part_with_those_who_left(self) -> None:
        gone = [member for member in self._members if not member.outlet.listening]
        self._members = [member for member in self._members if member.outlet.listening]
        for member in gone:
            await self._leave(member)

    async def _leave(self, member: Member) -> None:
        leave, context = self._recipe.leave, member.outlet.context
        current.set(context)
        try:
            if leave is not None:
                await _through(self._recipe, "leave", leave, self._model, member.state, context)
        except _FAILS as error:
            if cancelled(error):
                raise
            fault_of(error, "leave", [context])  # for the log: nobody waits for it
        finally:
            member.outlet.let_go()


# --- what both of them do ------------------------------------------------------------------


async def receive(recipe: Recipe, model: Any, outlet: Outlet) -> None:
    """Read and decode a request; what cannot be decoded has failed."""
    if outlet.envelope.deadline <= monotonic():
        outlet.fail(TOO_LATE)
        return
    steps, context = recipe.steps, outlet.context
    current.set(context)
    try:
        outlet.value = steps.read(outlet.envelope)
        if steps.decode is not None:
            outlet.value = await _through(
                recipe, "decode_request", steps.decode, model, outlet.value, context
            )
    except _FAILS as error:
        if cancelled(error):
            raise
        outlet.fail(fault_of(error, steps.read_hook, [context]))


async def respond(recipe: Recipe, model: Any, outlet: Outlet, output: Any) -> bool:
    """Do with an answer what a step says of it; tell whether more is to come."""
    if output is DONE or isinstance(output, Exception):
        end(recipe, outlet, output)
        return False
    if not outlet.listening:
        return True
    context, encode = outlet.context, recipe.steps.encode
    current.set(context)
    try:
        if encode is not None:
            output = await _through(recipe, "encode_response", encode, model, output, context)
        outlet.give(output if recipe.render is None else recipe.render(output))
    except _FAILS as error:
        if cancelled(error):
            raise
        outlet.fail(fault_of(error, recipe.last_hook, [context]))
    return True


def cancelled(error: BaseException) -> bool:
    """Tell whether the task itself was cancelled, not something that a hook awaited."""
    return isinstance(error, asyncio.CancelledError) and not came_by_itself(error)


async def _through(
    recipe: Recipe, hook: str, call: Call, model: Any, value: Any, context: Any
) -> Any:
    result = call(model, value, context)
    return await result if hook in recipe.steps.waits else result


async def _following(items: Any) -> Any:
    if hasattr(items, "__anext__"):
        return await anext(items, END)
    return next(items, END)


async def _close(items: Any, recipe: Recipe, outlets: Sequence[Outlet], *, cut: bool) -> None:
    """Close a generator; one that stands at a `yield`, given up, is cancelled there.

    What it raises is for the log alone: its answers have ended.
    """
    try:
        if cut and hasattr(items, "athrow"):
            await _cancel_at_yield(items)
        if hasattr(items, "aclose"):
            await items.aclose()
        elif hasattr(items, "close"):
            items.close()
    except Exception as error:  # noqa: BLE001 - no client waits
        fault_of(error, f"{recipe.hook}, as it was closed,", contexts_of(outlets))


async def _cancel_at_yield(items: Any) -> None:
    try:
        await items.athrow(asyncio.CancelledError())
    except (asyncio.CancelledError, StopAsyncIteration):
        return


async def run_all(groups: Sequence[AsyncGroup]) -> None:
    """Run groups side by side, each as a task, to their ends."""
    await asyncio.gather(*(group.run(lambda: None) for group in groups))
