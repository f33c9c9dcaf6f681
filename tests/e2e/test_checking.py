"""`headrace check`: what would be served, told without serving it."""

from __future__ import annotations

import pytest

from tests.e2e.serving import program

pytestmark = pytest.mark.e2e


def test_check_says_how_each_model_streams() -> None:
    with program("-m", "headrace", "check", "crowding.py") as checked:
        assert checked.exit_code() == 0
    told = dict(line.removeprefix("POST ").split("  ") for line in checked.lines[:-1])
    generator = "streams, in batches of up to 3, one generator for each batch"
    steps = "streams, up to 16 at once, in common steps (continuous batching)"
    assert told == {
        "/batch": f"batch: sync, 1 in process, {generator}",
        "/batch-async": f"batch-async: async, 1 in process, {generator}",
        "/crowd": f"crowd: sync, 1 in process, {steps}",
        "/crowd-async": f"crowd-async: async, 1 in process, {steps}",
    }
