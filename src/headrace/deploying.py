"""A worker's applications: read from their targets in a child, served, and told to the arbiter."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Sequence
from typing import assert_never

from headrace.applications import described
from headrace.errors import StartError
from headrace.host.control import DeleteNow, DeployNow, Done, Plan, Report, Serving
from headrace.host.origins import Origins
from headrace.host.settings import Settings
from headrace.host.targets import failure_of
from headrace.service import Service

log = logging.getLogger("headrace.server")


class Deploying:
    """Does what the arbiter passes on from a command; one order at a time changes something."""

    def __init__(self, plan: Plan, settings: Settings, say: Callable[[Report], None]) -> None:
        """Make the service of the plan, within its event loop. Raises ConfigError."""
        self._say = say
        self.files: list[str] = []
        """Where the code came from that was read last."""
        is_beside = bool(plan.inner)
        self._origins = Origins(plan.origins, self._heard, is_beside=is_beside)
        self._turn = asyncio.Lock()
        self.service = Service(
            plan.applications,
            settings,
            self._origins.read,
            shutdown_key=plan.shutdown_key,
            is_beside=is_beside,
        )

    def tell(self) -> None:
        """Tell the arbiter what is served by now."""
        present = self.service.applications.present.values()
        applications = [generation.application for generation in present]
        lines = self.service.describe()
        self._say(Serving(applications, self._origins.present, lines, self.files))

    async def obey(self, order: DeployNow | DeleteNow) -> None:
        """Do it, and tell how that went."""
        try:
            async with self._turn:
                told = await self._done(order)
        except StartError as error:
            self._say(Done(order.number, **failure_of(error)))
        except Exception as error:  # noqa: BLE001 - a command waits for the outcome
            words = f"{type(error).__name__}: {error}"
            self._say(Done(order.number, [], "StartError", words, traceback.format_exc()))
        else:
            self._say(Done(order.number, told))

    async def _done(self, order: DeployNow | DeleteNow) -> list[str]:
        applications = self.service.applications
        match order:
            case DeployNow(_, origins):
                parts = [await self._origins.described(origin) for origin in origins]
                found = [each for part in parts for each in part]
                await applications.deploy(found)
                for origin, part in zip(origins, parts, strict=True):
                    self._origins.add(origin, [each.name for each in part])
                names = [each.name for each in found]
                log.info("deployed: %s", ", ".join(names))
                told = described(applications, names)
            case DeleteNow(_, names):
                await applications.delete(names)
                self._origins.leave(names)
                log.info("deleted: %s", ", ".join(names))
                told = []
            case _:
                assert_never(order)
        self.tell()
        return told

    def _heard(self, files: Sequence[str]) -> None:
        self.files[:] = files
