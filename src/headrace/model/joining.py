"""The requests of a model with `admit` and `step`: they join and leave between its steps.

No Exception leaves a step; see `stepping`.
"""

from __future__ import annotations

from collections import deque
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from headrace.errors import ImpossibleStep
from headrace.model.answering import fail_all, has_room, receive, respond
from headrace.model.api import DONE
from headrace.model.context import current
from headrace.model.faults import fault_of
from headrace.model.group import Recipe
from headrace.model.outlet import Outlet
from headrace.model.steps import dealt


@dataclass(slots=True)
class Member:
    """A request that was admitted, and what `admit` made of it."""

    outlet: Outlet
    state: Any


class Joined:
    """All the requests of one model: they join and leave between its steps."""

    def __init__(self, recipe: Recipe, model: Any) -> None:
        """Nobody is there yet."""
        self._recipe, self._model = recipe, model
        self._coming: deque[Outlet] = deque()
        self._members: list[Member] = []
        self._run = copy_context().run
        self._run(current.set, None)

    @property
    def over(self) -> bool:
        """See `Group`; it begins anew with whoever joins next."""
        return not self._coming and not self._members

    @property
    def ready(self) -> bool:
        """See `Group`."""
        return bool(self._coming) or has_room([member.outlet for member in self._members])

    def join(self, outlet: Outlet) -> Outlet:
        """Admit a request with the next step."""
        self._coming.append(outlet)
        return outlet

    def step(self) -> None:
        """See `Group`."""
        self._run(self._advance)

    def fail(self, error: BaseException) -> None:
        """See `Group`."""
        present = [*(member.outlet for member in self._members), *self._coming]
        fail_all(error, self._recipe.hook, present)
        self.close()

    def close(self) -> None:
        """See `Group`."""
        for outlet in self._coming:
            outlet.let_go()
        self._coming.clear()
        members, self._members = self._members, []
        for member in members:
            self._run(self._leave, member)

    def _advance(self) -> None:
        self._part_with_those_who_left()
        while self._coming:
            self._admit(self._coming.popleft())
        if not self._members:
            return
        try:
            rows = dealt(self._outputs(), len(self._members))
        except Exception as error:  # noqa: BLE001 - their clients wait, and hear of it
            fail_all(error, self._recipe.hook, [member.outlet for member in self._members])
            rows = [DONE] * len(self._members)
        for member, output in zip(self._members, rows, strict=True):
            respond(self._recipe, self._model, member.outlet, output)
        self._part_with_those_who_left()

    def _outputs(self) -> Any:
        if self._recipe.step is None:
            raise ImpossibleStep("a model whose requests join has a `step`")
        contexts = [member.outlet.context for member in self._members]
        return self._recipe.step(self._model, [member.state for member in self._members], contexts)

    def _admit(self, outlet: Outlet) -> None:
        if outlet.listening:
            receive(self._recipe, self._model, outlet)
        if not outlet.listening:
            outlet.let_go()
            return
        token = current.set(outlet.context)
        try:
            state = self._recipe.steps.work(self._model, outlet.value, outlet.context)
            self._members.append(Member(outlet, state))
        except Exception as error:  # noqa: BLE001 - its client waits, and hears of it
            outlet.fail(fault_of(error, "admit", [outlet.context]), error)
        finally:
            outlet.value = None
            current.reset(token)

    def _part_with_those_who_left(self) -> None:
        gone = [member for member in self._members if not member.outlet.listening]
        if gone:
            self._members = [member for member in self._members if member.outlet.listening]
            for member in gone:
                self._leave(member)

    def _leave(self, member: Member) -> None:
        leave, context = self._recipe.leave, member.outlet.context
        token = current.set(context)
        try:
            if leave is not None:
                leave(self._model, member.state, context)
        except Exception as error:  # noqa: BLE001 - its answer is written already: only the log hears
            fault_of(error, "leave", [context])
        finally:
            current.reset(token)
            member.outlet.let_go()
