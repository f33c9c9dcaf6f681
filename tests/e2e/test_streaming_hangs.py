"""Steps of a generator that hang: they end with their client, and nobody else's does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.listening import Line
from tests.e2e.serving import Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with served("dawdling.py") as started:
        yield started


def copy_of(server: Program) -> dict[str, Any]:
    (copy,) = status(server)["deployments"]["dawdling"]["replicas"]
    return dict(copy)


@pytest.mark.parametrize("how", ["sleep", "spin"])
@pytest.mark.parametrize("items", [0, 1])
def test_a_step_that_hangs_ends_with_its_client(
    server: Program, how: str, items: int, tmp_path: Path
) -> None:
    before = copy_of(server)["pid"]
    with Line(server.port) as line:
        line.send("/predict", {"how": how, "items": items, "folder": str(tmp_path)})
        wait_for((tmp_path / "hangs").exists, "the step to hang")
        assert copy_of(server)["running"] == 1
    wait_for(lambda: copy_of(server)["running"] == 0, "the slot to be free", 0.5)
    assert (tmp_path / "closed").exists()
    assert ask(server, "/predict", {"how": "no", "items": 2, "folder": ""}).text == "item item "
    assert copy_of(server)["pid"] == before, "the replica is the same one"


def test_many_that_leave_at_once_hang_nobody(server: Program, tmp_path: Path) -> None:
    before = copy_of(server)["pid"]
    lines = [Line(server.port) for _ in range(8)]
    folders = [tmp_path / str(number) for number in range(8)]
    for line, folder in zip(lines, folders, strict=True):
        folder.mkdir()
        line.send("/predict", {"how": "sleep", "items": 1, "folder": str(folder)})
    wait_for(lambda: any((each / "hangs").exists() for each in folders), "a step to hang")
    for line in lines:
        line.leave()
    wait_for(lambda: copy_of(server)["running"] == 0, "the slots to be free", 2.0)
    assert ask(server, "/predict", {"how": "no", "items": 1, "folder": ""}).text == "item "
    assert copy_of(server)["pid"] == before, "the replica is the same one"


def test_a_neighbour_goes_on_when_a_step_is_ended(server: Program, tmp_path: Path) -> None:
    with Line(server.port) as stays, Line(server.port) as leaves:
        body = {"how": "no", "items": 2000, "every_s": 0.002, "folder": ""}
        parts = stays.ask("/predict", body).parts()
        begun = next(parts)
        leaves.send("/predict", {"how": "sleep", "items": 0, "folder": str(tmp_path)})
        wait_for((tmp_path / "hangs").exists, "the step to hang")
        leaves.leave()
        whole = begun + b"".join(parts)
    assert whole == b"item " * 2000
