"""Tells the engine what replicas say of their health."""

from __future__ import annotations

import random

from headrace.core import tending
from headrace.core.messages import ReplicaId
from headrace.replica.frames import Health
from headrace.runtime.driver import Driver


class Checkups:
    """Hears every `Health` that replicas tell."""

    def __init__(self, driver: Driver) -> None:
        """Listen from now on."""
        self._driver = driver
        self._chance = random.Random().random  # noqa: S311 - spreads restarts, hides nothing
        driver.hears[Health] = self._heard

    def _heard(self, replica: ReplicaId, health: Health) -> None:
        words = None if health.is_well else health.words
        chance = self._chance()
        self._driver.carry(
            lambda engine, now: tending.answered(engine, replica, words, now, chance)
        )
