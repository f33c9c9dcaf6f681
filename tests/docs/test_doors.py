"""The page docs/doors.md is right: each of its four doors opens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.docs.test_examples import ROOT
from tests.e2e.serving import PATIENCE_S, program

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "doors.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
DOORS = ["model", "handler", "ingress", "whole"]
ASKED: list[tuple[str, str, Any, Any]] = [
    ("POST", "/predict", "hello", 5),
    ("GET", "/any/path?a=1", None, {"a": "1"}),
    ("GET", "/length/hello", None, {"length": 5}),
    ("GET", "/length/hello", None, {"length": 5}),
]


def test_there_is_a_program_for_each_door() -> None:
    assert len(PROGRAMS) == len(DOORS)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("number", range(len(DOORS)), ids=DOORS)
def test_a_door_opens(number: int, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    block = PROGRAMS[number]
    script.write_text(block.replace("port=8000", "port=0"))
    serve = ("-m", "headrace", "serve", str(script), "--workers=2", "--port=0")
    command = (str(script),) if "__main__" in block else serve
    method, path, body, answer = ASKED[number]
    with program(*command) as server:
        server.wait_for_line(" at http", within_s=3 * PATIENCE_S)
        url = server.url + path
        said = httpx2.request(method, url, json=body, timeout=PATIENCE_S)
        assert (said.status_code, said.json()) == (200, answer)


def test_every_page_it_names_is_there() -> None:
    for name in re.findall(r"\]\((\w+\.md)\)", PAGE):
        assert (ROOT / "docs" / name).exists(), name
