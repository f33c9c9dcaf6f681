"""End the one call that nobody waits for, by a signal, and never another one.

The worker writes the call's serial on the page, then signals. The handler raises `Cancelled` only
while that very call is armed, which it is from just before its hooks to just after: a signal that
comes too late meets another serial, or none. The handler runs on the thread that arms: so either it
finds the call armed, or the call finds the order as it arms, and does not begin. A stream is armed
for each of its steps.
"""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from headrace.errors import Cancelled
from headrace.model.context import current
from headrace.model.envelope import Envelope, Reply
from headrace.model.group import Group
from headrace.model.steps import Run
from headrace.replica.page import Page
from headrace.replica.tasks import GIVEN_UP
from headrace.replica.uncaught import EXITS, faults_of

if sys.platform == "linux":  # those that no library uses
    STOP, STACKS = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
else:
    STOP, STACKS = signal.SIGUSR1, signal.SIGUSR2


T = TypeVar("T")
_NOTHING = contextlib.nullcontext()


class Guard:
    """Runs calls and steps on the main thread, each of which the worker may stop."""

    def __init__(self, page: Page) -> None:
        """Hear the worker's signals from now on; before user code, which may hear them instead."""
        self._page = page
        self._stopped = self._shielded = self._held_back = False
        self._main = threading.get_ident()
        signal.signal(STOP, self._heard)
        faulthandler.register(STACKS)

    def run(
        self, serial: int, run: Run, model: object, envelopes: Sequence[Envelope]
    ) -> list[Reply]:
        """Run a call to its end, or to where it is stopped. Only what ends the replica is raised.

        A hook that swallows Cancelled is let be, and what it returns is dropped.
        """
        page = self._page
        replies: list[Reply] = []
        self._stopped = self._shielded = self._held_back = False
        try:
            try:
                if page.arm(serial):
                    replies = run(model, envelopes)
                else:
                    self._stopped = True
            finally:
                page.disarm()
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - their clients wait, and hear of it
            if not self._stopped:
                replies = faults_of(error, envelopes)
        if self._stopped:
            current.set(None)  # it may have been on its way out of a hook's context
            return [GIVEN_UP] * len(envelopes)
        return replies

    def step(self, serial: int, group: Group) -> bool:
        """Take a step of a stream, to its end or to where it is stopped; tell if it was stopped.

        Only what ends the replica is raised. A generator that swallows Cancelled gives an item: it
        is for the caller to close it.
        """
        page = self._page
        self._stopped = self._shielded = self._held_back = False
        try:
            try:
                if page.arm_again(serial):
                    group.step()
                else:
                    self._stopped = True
            finally:
                page.disarm()
        except EXITS:
            raise
        except BaseException as error:  # noqa: BLE001 - their clients wait, and hear of it
            if not self._stopped:
                group.fail(error)
        return self._stopped

    def shield(self) -> contextlib.AbstractContextManager[None]:
        """Hold a stop back until the block has ended: what is in it is done as a whole."""
        return _Shield(self) if threading.get_ident() == self._main else _NOTHING

    def window(self, wait: Callable[..., T], *args: Any) -> T:
        """Call one function of C within a shield, and let it be stopped there."""
        if threading.get_ident() != self._main:
            return wait(*args)
        self._shielded = False
        try:
            self._look()
            return wait(*args)
        finally:
            self._shielded = True

    def forestall(self, serial: int) -> bool:
        """Take the end of a call that nobody waits for as its stop, if it runs here.

        A word over the socket may be quicker than the signal.
        """
        if threading.get_ident() != self._main or self._page.armed != serial:
            return False
        self._page.disarm()
        self._stopped = True
        return True

    def _look(self) -> None:
        if self._held_back:
            self._held_back = False
            self._stop()

    def _heard(self, _number: int, _frame: object) -> None:
        if self._shielded:
            self._held_back = True
        else:
            self._stop()

    def _stop(self) -> None:
        if self._page.stops_now():
            self._stopped = True
            raise Cancelled("nobody waits for this call any more")


class _Shield:
    """One block that is not to be cut; blocks may be within one another."""

    __slots__ = ("_before", "_guard")

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        self._before, self._guard._shielded = self._guard._shielded, True  # noqa: SLF001 - its own

    def __exit__(self, *_: object) -> None:
        self._guard._shielded = self._before  # noqa: SLF001
        if not self._before:
            self._guard._look()  # noqa: SLF001
