"""The models of one object whose `load` is not `async def`: whoever asks first loads.

Several threads may ask at once; those who want a model that another one loads wait for it. Only a
thread of a pool waits for a place: the main thread may be the only one there is, and an event loop
must not stand still.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

from headrace.model.shelf import PATIENCE_S, Held, Load, Shelf, State, TearDown
from headrace.model.shelf_async import Shop
from headrace.model.tearing import tear_down_now
from headrace.model.twins import twin_of


class SyncShelf:
    """One object's models, for any number of threads."""

    loop = None

    def __init__(self, shop: Shop) -> None:
        """None is loaded yet."""
        self._shop = shop
        self._shelf = Shelf(shop.most, under_way=shop.under_way)
        self._told: list[str] = []
        self._lock, self._telling = threading.Lock(), threading.Lock()
        self._news = threading.Condition(self._lock)

    @property
    def models(self) -> list[str]:
        """Those that are loaded."""
        with self._lock:
            return self._shelf.there

    def get(self, model: str, calls: Sequence[int]) -> Any:
        """Return a model, loaded for these calls if need be; what its load raises passes."""
        while True:
            with self._lock:
                held = self._shelf.asked(model, calls, waits=_may_wait())
            try:
                self._bring(held)
                if held.error is None:
                    return held.model
                if isinstance(held.error, Exception):
                    raise twin_of(held.error)
            finally:  # if neither, whoever loaded it was interrupted: once more
                with self._lock:
                    self._shelf.released(held)
                self._look()

    def ended(self, call: int) -> None:
        """A call uses nothing any more."""
        with self._lock:
            self._shelf.ended(call)
        self._look()

    def empty(self) -> None:
        """Tear all of them down."""
        with self._lock:
            steps = self._shelf.empty()
        for step in steps:
            self._tear_down(step.held)

    def _bring(self, held: Held) -> None:
        """Return when it is there, or could not be loaded; load it if nobody else does."""
        while True:
            self._look()
            with self._news:
                if held.state is State.LOADING and held.signal is None:
                    held.signal = self  # this thread does
                    break
                if held.state not in (State.WAITING, State.LOADING):
                    return
                if not self._news.wait(PATIENCE_S):
                    held.urgent = True
        self._load(held)

    def _load(self, held: Held) -> None:
        began = time.monotonic()
        try:
            model = self._shop.load(self._shop.owner(), held.id)
        except BaseException as error:
            with self._news:
                self._shelf.failed(held, error)
                self._news.notify_all()
            if not isinstance(error, Exception):
                raise
        else:
            with self._news:
                self._shelf.loaded(held, model)
                self._news.notify_all()
            self._tell(time.monotonic() - began)
        self._look()

    def _look(self) -> None:
        """Do what is to be done."""
        while True:
            with self._news:
                steps = [] if self._shelf.is_settled else self._shelf.steps()
                if any(isinstance(step, Load) for step in steps):
                    self._news.notify_all()
            self._tell(0.0)
            going = [step.held for step in steps if isinstance(step, TearDown)]
            for held in going:
                self._tear_down(held)
            if not going:
                return

    def _tear_down(self, held: Held) -> None:
        model, held.model = held.model, None
        tear_down_now(model, held.id)
        del model
        with self._lock:
            self._shelf.torn_down(held)

    def _tell(self, load_s: float) -> None:
        with self._telling:
            models = self.models
            if models != self._told:
                self._told = models
                self._shop.changed(models, load_s)


def _may_wait() -> bool:
    if threading.current_thread() is threading.main_thread():
        return False
    return asyncio._get_running_loop() is None  # noqa: SLF001 - the public one raises
