"""Every executor keeps every promise of its seam."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.executors.inline import InlineReplica
from headrace.executors.process import ProcessReplica
from headrace.testing import Check, Make, checks_for
from headrace.testing.conformance import run_check


def in_a_process(load: Any, inbox: Any) -> ProcessReplica:
    return ProcessReplica(load, {}, inbox)


def cases() -> list[Any]:
    kinds: list[tuple[str, Make, Any]] = [
        ("inline", InlineReplica, InlineReplica.capabilities),
        ("process", in_a_process, ProcessReplica.capabilities),
    ]
    return [
        pytest.param(check, make, id=f"{kind}-{check.__name__}")
        for kind, make, capabilities in kinds
        for check in checks_for(capabilities)
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("check", "make"), cases())
def test_an_executor_keeps_its_promises(check: Check, make: Make) -> None:
    asyncio.run(run_check(check, make))
