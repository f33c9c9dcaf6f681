"""The requests of a model with `async def admit` or `step`: as `joining` does, awaiting."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from headrace.errors import ImpossibleStep
from headrace.model.answering import fail_all, has_room
from headrace.model.answering_async import FAILS, cancelled, receive, respond, through
from headrace.model.api import DONE
from headrace.model.context import current, running
from headrace.model.faults import fault_of
from headrace.model.group import Recipe, Told
from headrace.model.joining import Member
from headrace.model.outlet import Outlet
from headrace.model.steps import dealt


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
        running.set(0)  # a step is for all of them
        try:
            rows = dealt(await self._outputs(), len(members))
        except FAILS as error:
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
        return await through(self._recipe, "step", self._recipe.step, self._model, states, contexts)

    async def _admit(self, outlet: Outlet) -> None:
        if outlet.listening:
            await receive(self._recipe, self._model, outlet)
        if not outlet.listening:
            outlet.let_go()
            return
        current.set(outlet.context)
        work = self._recipe.steps.work
        try:
            state = await through(
                self._recipe, "admit", work, self._model, outlet.value, outlet.context
            )
            self._members.append(Member(outlet, state))
        except FAILS as error:
            if cancelled(error):
                outlet.let_go()
                raise
            outlet.fail(fault_of(error, "admit", [outlet.context]), error)
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
                await through(self._recipe, "leave", leave, self._model, member.state, context)
        except FAILS as error:
            if cancelled(error):
                raise
            fault_of(error, "leave", [context])  # for the log: nobody waits for it
        finally:
            member.outlet.let_go()
