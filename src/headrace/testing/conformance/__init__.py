"""Does an executor keep the promises of `interfaces.Replica`? Each check is one promise."""

from __future__ import annotations

import tempfile
from pathlib import Path

from headrace.interfaces import Capabilities
from headrace.testing.conformance import (
    calls,
    crashes,
    endings,
    handles,
    interrupted_streams,
    interrupts,
    streams,
)
from headrace.testing.conformance.stage import Check, Make, Stage

__all__ = ["Check", "Make", "check_replica", "checks_for", "run_check"]


def checks_for(capabilities: Capabilities) -> tuple[Check, ...]:
    """Return the checks that an executor with these capabilities must pass."""
    return (
        *calls.CHECKS,
        *endings.CHECKS,
        *streams.CHECKS,
        *handles.CHECKS,
        *(handles.APART if capabilities.survives_crash else ()),
        *(handles.INTERRUPTS if capabilities.interrupts else ()),
        *(crashes.CHECKS if capabilities.survives_crash else ()),
        *(interrupts.CHECKS if capabilities.interrupts else ()),
        *(interrupted_streams.CHECKS if capabilities.interrupts else ()),
    )


async def run_check(check: Check, make: Make) -> None:
    """Run one check on replicas of its own. Raises AssertionError that says what was not kept."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(make, Path(folder))
        try:
            await check(stage)
        finally:
            await stage.close()
    broken = stage.ledger.broken
    assert not broken, f"{check.__name__}: {'; '.join(broken)}"


async def check_replica(make: Make, capabilities: Capabilities) -> None:
    """Run every check; `make(load, inbox)` starts a replica, on the running event loop.

    Raises AssertionError at the first promise that is not kept.
    """
    for check in checks_for(capabilities):
        await run_check(check, make)
