"""Requests that nobody waits for, on their way: they go behind those of clients.

Whoever brings one hears of two ends: what came of it, and that nothing runs it any more. The second
is later where it was given up while a replica ran it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import msgspec

from headrace.core import background, streaming
from headrace.core.messages import (
    DeploymentId,
    Due,
    Left,
    LowerAction,
    ReplicaId,
    RequestId,
    Serial,
)
from headrace.core.records import Lower
from headrace.errors import StillLoading
from headrace.interfaces import Progress
from headrace.model.envelope import Envelope, Part
from headrace.replica.frames import JobProgress
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.driver import Driver


@dataclass(frozen=True, slots=True)
class Ends:
    """Whom to tell of one request."""

    ended: Callable[[Ending], None]
    left: Callable[[], None]
    """Called once, after `ended`."""
    progress: Callable[[Progress], None]
    """Hears how far its code says it is."""
    heard: Callable[[Part], None] | None = None


class Background:
    """The lower class of one driver."""

    def __init__(self, driver: Driver) -> None:
        """Hear of its requests from now on."""
        self._driver = driver
        self._ends: dict[RequestId, Ends] = {}
        driver.behind = self._do
        driver.hears[JobProgress] = self._progressed

    def ask(self, deployment: DeploymentId, envelope: Envelope, lower: Lower, ends: Ends) -> Asked:
        """Queue a request behind all others. Raises Draining, and StillLoading."""
        driver = self._driver
        number = RequestId(driver.engine.last + 1)
        try:
            background.arrived(
                driver.engine, number, deployment, lower, driver.clock(), envelope.model_id
            )
        except StillLoading as refused:
            raise driver.not_loaded(deployment, refused) from None
        asked = Asked(number, deployment, envelope, ends.ended, ends.heard)
        self._ends[number] = ends
        driver.enter(asked)
        return asked

    def has_begun(self, asked: Asked) -> bool:
        """Tell whether a replica has it, or has had it."""
        return background.has_begun(self._driver.engine, asked.id)

    def is_over(self, asked: Asked) -> bool:
        """Tell whether the engine has forgotten it: nothing runs it."""
        return asked.id not in self._driver.engine.tickets

    def _progressed(self, replica: ReplicaId, told: JobProgress) -> None:
        engine = self._driver.engine
        request = streaming.request_of(engine, replica, Serial(told.serial), told.place)
        ends = None if request is None else self._ends.get(request)
        if ends is not None:
            ends.progress(Progress(told.done, told.total, told.note))

    def _do(self, action: LowerAction) -> None:
        match action:
            case Due(request, deadline):
                asked = self._driver.asked(request)
                asked.envelope = msgspec.structs.replace(asked.envelope, deadline=deadline)
            case Left(request):
                self._ends.pop(request).left()
            case _:
                assert_never(action)
