"""Models whose number follows the load, that are asked how they are, and told how to be."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import headrace as hr

FOLDER = Path(os.environ.get("FOLDER", "."))
"""What stands here tells replicas how to feel: a file of a replica's pid."""


def mood() -> str:
    """Return how this process is to feel."""
    path = FOLDER / str(os.getpid())
    return path.read_text() if path.exists() else ""


def as_said(nonce: str) -> dict[str, object]:
    """Return what `tests.e2e.load` wants to hear."""
    return {"predicted": nonce, "decoded": nonce, "encoded": nonce, "pid": os.getpid()}


def feel() -> bool:
    """Answer for one's health as the file says."""
    match mood():
        case "raises":
            raise ValueError("the disk is full")
        case "hangs":
            time.sleep(600)
            return True
        case word:
            return word != "ill"


@hr.deployment(
    replicas=(1, 4), target_ongoing_requests=2, upscale_delay_s=0.5, downscale_delay_s=1.5
)
class Elastic(hr.Model):
    def predict(self, body: dict[str, str]) -> dict[str, object]:
        time.sleep(0.02)
        return as_said(body["nonce"])


@hr.deployment(
    replicas=(0, 3), target_ongoing_requests=2, upscale_delay_s=0.5, downscale_delay_s=1.0
)
class Sleepy(hr.Model):
    async def predict(self, body: dict[str, str]) -> dict[str, object]:
        await asyncio.sleep(0.02)
        return as_said(body["nonce"])


@hr.deployment(
    replicas=2, health_check_period_s=0.2, health_check_timeout_s=1.0, name="leaf", route="/leaf"
)
class Leaf(hr.Model):
    def predict(self, nap_s: float) -> int:
        time.sleep(nap_s)
        return os.getpid()

    def health(self) -> bool:
        return feel()


@hr.deployment(health_check_period_s=0.2, health_check_timeout_s=1.0, name="tasks", route="/tasks")
class Tasks(hr.Model):
    async def predict(self, nap_s: float) -> int:
        if nap_s < 0:
            time.sleep(-nap_s)  # the whole loop stands still
        await asyncio.sleep(max(nap_s, 0.0))
        return os.getpid()

    async def health(self) -> bool:
        if mood() == "waits":
            await asyncio.sleep(600)
        return feel()


class Switch(hr.Model):
    """Says its `user_config`, and how often it was told one."""

    def setup(self) -> None:
        self.config: object = None
        self.told = 0

    def reconfigure(self, config: dict[str, object]) -> None:
        if config.get("fails") in (True, os.getpid()):
            raise ValueError("no such weights")
        self.config, self.told = config, self.told + 1

    def predict(self, nap_s: float) -> list[object]:
        before = self.config
        time.sleep(nap_s)
        return [before, self.config, self.told, os.getpid()]


class AsyncSwitch(Switch):
    async def reconfigure(self, config: dict[str, object]) -> None:  # type: ignore[override] # it waits
        await asyncio.sleep(0.01)
        super().reconfigure(config)

    async def predict(self, nap_s: float) -> list[object]:  # type: ignore[override] # it waits
        before = self.config
        await asyncio.sleep(nap_s)
        return [before, self.config, self.told, os.getpid()]


@hr.deployment(
    user_config={"n": 1}, health_check_period_s=0.2, health_check_timeout_s=1.0, route="/plain"
)
class Plain:
    """No model: any class may have these hooks."""

    def reconfigure(self, config: dict[str, object]) -> None:
        self.config = config

    def health(self) -> bool:
        return feel()

    async def __call__(self) -> dict[str, object]:
        return {**self.config, "pid": os.getpid()}
