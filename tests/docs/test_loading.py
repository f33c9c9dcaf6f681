"""The page docs/loading.md is right: its programs load and unload as it says."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from headrace.core.draining import KILL_AFTER_S
from headrace.core.loading import STAY_S
from headrace.model.deployment import Load
from tests.e2e.serving import PATIENCE_S, program, wait_for

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "loading.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_way_to_load_is_on_the_page() -> None:
    for way in Load.__args__:  # type: ignore[attr-defined]
        assert f'| `"{way}"` ' in PAGE.replace(" (default)", "")


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"has {KILL_AFTER_S:g} seconds" in PAGE
    assert f"the last {STAY_S:g} seconds" in PAGE


def test_a_lazy_model_comes_and_goes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    text = PROGRAMS[0].replace("port=8000", "port=0")
    script.write_text(text.replace("idle_unload_s=600", "idle_unload_s=0.5"))
    with program(str(script)) as server:
        server.wait_until_serving()
        said = httpx2.post(f"{server.url}/predict", json="ada", timeout=PATIENCE_S)
        assert said.json() == "ADA!"
        server.wait_for_line("forgotten")
        wait_for(lambda: "shout is unloaded: nobody used it" in server.terminal, "the log of it")


def test_one_on_a_timetable_is_served(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"{PROGRAMS[1]}\nif __name__ == '__main__':\n    hr.run(Report, port=0)\n")
    with program(str(script)) as server:
        server.wait_until_serving()
        told = httpx2.get(f"{server.url}/-/health", timeout=PATIENCE_S).json()
        report = told["deployments"]["report"]
        assert report["next_load_at"].partition("T")[2].startswith("06:00")
        assert report["next_unload_at"].partition("T")[2].startswith("20:00")
