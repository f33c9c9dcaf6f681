"""Run the streams of a replica side by side on an event loop: one task for what goes together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from headrace.model.context import running
from headrace.model.envelope import Envelope
from headrace.model.group import AsyncGroup
from headrace.model.hooks import Plan
from headrace.replica.delivery import Deliveries, Reports
from headrace.replica.uncaught import EXITS


class StreamTasks:
    """The streamed calls under way in one replica; see `tasks.Tasks`, which has the others."""

    def __init__(self, plan: Plan, model: object, reports: Reports) -> None:
        """Report every call that was begun exactly once, after all of its parts."""
        self._begin = plan.open_async(model)
        self._deliveries: Deliveries[AsyncGroup] = Deliveries(reports)
        self._running: dict[AsyncGroup, asyncio.Task[None]] = {}
        self._waiting: asyncio.Future[None] | None = None

    def begin(self, serial: int, envelopes: Sequence[Envelope]) -> None:
        """Start a call."""
        running.set(serial)  # outlets and tasks take it over
        pairs = self._begin(envelopes)
        self._deliveries.add(serial, pairs)
        for group, _ in pairs:
            if group in self._running:
                group.wake()
            else:
                self._start(group)

    def give_up_on(self, serial: int, place: int) -> None:
        """Cancel what nobody waits for any more."""
        found = self._deliveries.find(serial, place)
        if found is None:
            return
        group, outlet = found
        outlet.give_up()
        self._report_call(serial)
        if group in self._running:
            group.wake()
            if group.unwanted:
                self._running[group].cancel()

    def grant(self, serial: int, place: int, parts: int) -> None:
        """Let so many more parts of an answer leave."""
        found = self._deliveries.find(serial, place)
        if found is not None:
            found[1].grant(parts)
            self._report_call(serial)
            found[0].wake()

    async def all_ended(self) -> None:
        """Return when no call is under way."""
        while self._running or not self._deliveries.idle:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def cancel_all(self) -> None:
        """Cancel every call; what was held for a reader is dropped."""
        for task in self._running.values():
            task.cancel()
        self._deliveries.give_up()
        self._look_if_ended()

    def _start(self, group: AsyncGroup) -> None:
        task = asyncio.create_task(group.run(partial(self._report, group)))
        self._running[group] = task
        task.add_done_callback(partial(self._ended, group))

    def _ended(self, group: AsyncGroup, task: asyncio.Task[None]) -> None:
        del self._running[group]
        if task.cancelled():
            group.close()
        elif (error := task.exception()) is not None:
            group.fail(error)
            if isinstance(error, EXITS):
                raise error
        self._report(group)
        if group.has_more:  # somebody joined as it came to its end
            self._start(group)
        self._look_if_ended()

    def _report(self, group: AsyncGroup) -> None:
        self._deliveries.report(group)

    def _report_call(self, serial: int) -> None:
        self._deliveries.report_call(serial)
        self._look_if_ended()

    def _look_if_ended(self) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if not self._running and self._deliveries.idle:
            self._waiting.set_result(None)
