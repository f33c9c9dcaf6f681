"""Tells the engine which models replicas hold, where each holds models of its own."""

from __future__ import annotations

from headrace.core import multiplexing
from headrace.core.messages import ReplicaId
from headrace.replica.frames import Holds
from headrace.runtime.driver import Driver


class Models:
    """Hears every `Holds` that replicas tell."""

    def __init__(self, driver: Driver) -> None:
        """Listen from now on."""
        self._driver = driver
        driver.hears[Holds] = self._heard

    def _heard(self, replica: ReplicaId, holds: Holds) -> None:
        multiplexing.holds(self._driver.engine, replica, holds.models, holds.load_s)
