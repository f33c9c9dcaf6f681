"""Run the calls of an async replica side by side: one task each, on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from headrace.model.context import running
from headrace.model.envelope import Envelope, Fault, Reply
from headrace.model.hooks import Plan
from headrace.replica.uncaught import EXITS, faults_of

Report = Callable[[int, float, list[Reply]], None]
"""Hears of a call's end: its serial, how many seconds it took, its replies."""
GIVEN_UP = Fault(499, "client_closed_request", "nobody waited for the answer any more")


class Tasks:
    """The calls under way in one async replica."""

    def __init__(self, plan: Plan, model: object, report: Report) -> None:
        """Report every call that was begun exactly once, in the order of their ends."""
        self._plan, self._model, self._report = plan, model, report
        self._running: dict[int, asyncio.Task[list[Reply]]] = {}
        self._wanted: dict[int, int] = {}

    def begin(self, serial: int, envelopes: Sequence[Envelope]) -> None:
        """Start a call."""
        began = time.perf_counter()
        running.set(serial)  # the task takes it over
        task = asyncio.create_task(self._plan.run_async(self._model, envelopes))
        self._running[serial], self._wanted[serial] = task, len(envelopes)

        def ended(task: asyncio.Task[list[Reply]]) -> None:
            del self._running[serial], self._wanted[serial]
            self._report(serial, time.perf_counter() - began, _replies(task, envelopes))

        task.add_done_callback(ended)

    def give_up_on(self, serial: int, place: int) -> None:  # noqa: ARG002 - a call ends as a whole
        """Cancel a call once nobody waits for any of its requests."""
        if serial in self._running:
            self._wanted[serial] -= 1
            if self._wanted[serial] <= 0:
                self._running[serial].cancel()

    def grant(self, serial: int, place: int, parts: int) -> None:
        """Allow so many more parts: there are no streams here, see `stream_tasks`."""

    async def all_ended(self) -> None:
        """Return when no call is under way."""
        while self._running:
            await asyncio.wait(self._running.values())
            await asyncio.sleep(0)  # let the callbacks report

    def cancel_all(self) -> None:
        """Cancel every call."""
        for task in self._running.values():
            task.cancel()


def _replies(task: asyncio.Task[list[Reply]], envelopes: Sequence[Envelope]) -> list[Reply]:
    if task.cancelled():
        return [GIVEN_UP] * len(envelopes)
    error = task.exception()
    if isinstance(error, EXITS):
        raise error
    if error is not None:
        return faults_of(error, envelopes)
    return task.result()
