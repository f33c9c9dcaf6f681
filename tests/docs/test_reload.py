"""The page docs/reload.md is right: its program reloads, and /-/info has the words it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from tests.e2e.models import Echo, Napper

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

PAGE = (Path(__file__).parents[2] / "docs" / "reload.md").read_text()


def test_the_program_of_the_page_reloads() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"hr": hr, "Embed": Echo, "Rank": Napper}
    try:
        exec(program.replace("(Embed)\n", "(Embed, port=0)\n", 1), names)  # noqa: S102 - the page is ours
        info = httpx2.get(names["running"].url + "/-/info", timeout=10).json()
        assert info["generation"].keys() == json.loads(shown)["generation"].keys()
        assert info["generation"]["number"] == 3
        assert set(info["deployments"]) == {"echo", "napper"}
    finally:
        if "running" in names:
            names["running"].stop()


def test_every_setting_it_names_is_one() -> None:
    from headrace.host.settings import NAMES

    said = {"reload", "reload_at", "reload_timeout_s", "graceful_timeout_s", "dev"}
    assert said <= set(NAMES)
    assert all(name in PAGE for name in said)
