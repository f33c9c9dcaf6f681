"""The page docs/security.md is right: its programs run, and do what the page says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import httpx2
import pytest

from headrace.host.settings import Settings
from tests.e2e.serving import PATIENCE_S, program

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "security.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEY = "k" * 20
OURS = ("api_keys", "cors_origins", "gzip", "middleware", "tls_")


def test_there_is_a_program_for_keys_one_for_cors_and_one_for_middleware() -> None:
    for block, word in zip(PROGRAMS, ("api_keys", "cors_origins", "middleware"), strict=True):
        assert word in block


@pytest.mark.parametrize("block", PROGRAMS, ids=["keys", "cors", "middleware"])
def test_a_program_of_the_page_runs(block: str, tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text(block.replace("port=8000", "port=0"))
    headers = {"X-API-Key": KEY, "Origin": "https://shop.example"}
    with program(str(script), env={"HELLO_KEYS": KEY}) as server:
        server.wait_until_serving()
        url = f"{server.url}/predict"
        said = httpx2.post(url, json="Ada", headers=headers, timeout=PATIENCE_S)
        assert said.json() == "Hello, Ada!"
        bare = httpx2.post(url, json="Ada", timeout=PATIENCE_S)
        assert bare.status_code == (401 if "api_keys" in block else 200)
        agreed = said.headers.get("access-control-allow-origin")
        assert agreed == ("https://shop.example" if "cors_origins" in block else None)


def test_each_of_these_settings_is_on_the_page_and_in_the_reference() -> None:
    reference = (DOCS / "reference.md").read_text()
    for setting in fields(Settings):
        if setting.name.startswith(OURS):
            assert f"`{setting.name}" in PAGE or f"{setting.name}=" in PAGE, setting.name
            assert f"| `{setting.name}` |" in reference, setting.name
