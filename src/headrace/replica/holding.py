"""What a replica tells of the models that its object holds, and when a call's use of them is over.

Only replicas of classes with `@hr.multiplexed` have anything of this.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from headrace.model.context import running
from headrace.model.envelope import Envelope, Reply
from headrace.model.group import Group, Open
from headrace.model.hooks import Plan
from headrace.model.multiplexed import began, began_alone, ended, is_multiplexed, listen
from headrace.model.outlet import Outlet
from headrace.replica.delivery import Reports
from headrace.replica.frames import Holds, News

Tell = Callable[[News], None]


class Ends:
    """The reports of a replica; with a call's end its models are free, behind its answer."""

    def __init__(self, reports: Reports, thing: Any) -> None:
        """Report to these."""
        self._reports, self._thing = reports, thing
        self.parts, self.ended = reports.parts, reports.ended

    def finished(self, serial: int, took_s: float, replies: list[Reply]) -> None:
        """See `Reports`."""
        self._reports.finished(serial, took_s, replies)
        ended(self._thing, serial)


class Begins:
    """The calls under way in a replica, on its event loop: see `plans.Running`."""

    def __init__(self, running: Any, thing: Any) -> None:
        """Pass everything on to what runs them."""
        self._running, self._thing = running, thing
        self.give_up_on, self.grant = running.give_up_on, running.grant
        self.all_ended, self.cancel_all = running.all_ended, running.cancel_all

    def begin(self, serial: int, envelopes: Sequence[Envelope]) -> None:
        """See `plans.Running`."""
        began(self._thing, serial)
        self._running.begin(serial, envelopes)


def in_leaf(plan: Plan, model: Any, tell: Tell) -> Plan:
    """Return the plan of a replica that runs one call at a time, if it holds models."""
    if not is_multiplexed(type(model)):
        return plan
    announce(model, tell)
    run = plan.run

    def run_one(model: Any, envelopes: Sequence[Envelope]) -> list[Reply]:
        serial = running.get()
        began_alone(model, serial)
        try:
            return run(model, envelopes)
        finally:
            ended(model, serial)

    return replace(plan, run=run_one)


def in_streams(plan: Plan, model: Any, reports: Reports, tell: Tell) -> tuple[Open, Reports]:
    """Return how the streams of a leaf begin, and who hears of them."""
    begin = plan.open(model)
    if not is_multiplexed(type(model)):
        return begin, reports
    announce(model, tell)

    def begin_one(envelopes: Sequence[Envelope]) -> list[tuple[Group, Outlet]]:
        began(model, running.get())
        return begin(envelopes)

    return begin_one, Ends(reports, model)


def announce(thing: Any, tell: Tell) -> None:
    """Tell the worker of the object's models from now on; `tell` may be called in any thread."""

    def holds(models: Sequence[str], load_s: float) -> None:
        tell(Holds(list(models), load_s))

    listen(thing, holds)


def from_any_thread(tell: Tell) -> Tell:
    """Return what may be called in any thread, where `tell` may be in this loop's thread only."""
    loop, own = asyncio.get_running_loop(), threading.get_ident()

    def tell_there(news: News) -> None:
        if threading.get_ident() == own:
            tell(news)
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended, and its replica with it
            loop.call_soon_threadsafe(tell, news)

    return tell_there
