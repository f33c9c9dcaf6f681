"""An engine that looks itself over after every turn: for whoever debugs, and for nobody else."""

from __future__ import annotations

import logging

from headrace.core.check import check
from headrace.core.engine import Engine
from headrace.core.messages import Action

log = logging.getLogger("headrace.runtime")


class CheckedEngine(Engine):
    """Decides as an Engine does, and reports every promise of its own that it finds broken."""

    def ticked(self, now: float) -> list[Action]:
        """See `Engine`. A broken promise is our bug: it is told, and the server goes on."""
        actions = super().ticked(now)
        try:
            check(self, turn_ended_at=now)
        except AssertionError as error:
            log.error("a bug in Headrace: %s", error)  # noqa: TRY400 - the trace says nothing
        return actions
