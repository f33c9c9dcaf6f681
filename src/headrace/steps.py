"""The steps of a change: an application goes from one generation to the next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headrace.errors import ImpossibleStep, StartError
from headrace.generation import Generation


@dataclass(frozen=True, slots=True)
class Step:
    """One application goes from what it was to what it is to be; None where it is not there."""

    old: Generation | None
    new: Generation | None

    @property
    def name(self) -> str:
        """Whose step it is."""
        generation = self.new or self.old
        if generation is None:
            raise ImpossibleStep("a step leads from somewhere, or to somewhere")
        return generation.application.name

    def adopt(self) -> None:
        """Let the new one take over what stays of the old one."""
        if self.new is not None and self.old is not None:
            self.new.adopt(self.old)

    def configs(self) -> Iterator[tuple[Generation, str, object]]:
        """Give every deployment that stays and has a new `user_config`, with that."""
        if self.old is None or self.new is None:
            return
        for name in self.new.kept:
            config = self.new.served[name].options.user_config
            if self.old.served[name].options.user_config != config:
                yield self.old, name, config


async def tell_configs(steps: Iterable[Step]) -> None:
    """Give what stays its new `user_config`; where one is not taken, nobody keeps it.

    Raises StartError.
    """
    told: list[tuple[Generation, str, object]] = []
    try:
        for generation, name, config in [each for step in steps for each in step.configs()]:
            told.append((generation, name, generation.served[name].options.user_config))
            await generation.reconfigure(name, config)
    except StartError:
        for generation, name, before in reversed(told):
            with contextlib.suppress(StartError):  # the one before is what it has anyway
                await generation.reconfigure(name, before)
        raise


async def loaded(generations: Sequence[Generation]) -> None:
    """Wait for all of them, or for the first that fails. Raises StartError."""
    futures = [generation.loaded for generation in generations]
    if not futures:
        return
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
    errors = [future.exception() for future in done]
    if error := next((one for one in errors if one is not None), None):
        raise error
