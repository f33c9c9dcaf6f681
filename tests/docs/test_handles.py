"""The page docs/handles.md is right: its programs run, and its errors are there."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from headrace import errors
from headrace.memory.slots import LARGE_BYTES
from tests.docs.test_examples import ROOT
from tests.e2e.serving import PATIENCE_S, program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

PAGE = (ROOT / "docs" / "handles.md").read_text()
GRAPH, PROGRAM = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_graph_of_the_page_answers(tmp_path: Path) -> None:
    script = tmp_path / "graph.py"
    script.write_text(GRAPH.replace("port=8000", "port=0"))
    with program(str(script)) as server:
        server.wait_until_serving()
        url = f"{server.url}/predict"
        assert httpx2.post(url, json="to be", timeout=PATIENCE_S).json() == {
            "embedded": [[5.0, 1.0], [5.0, 1.0]],
            "words": ["to", "be"],
            "said": "hello, Ada",
        }


def test_the_program_of_the_page_calls(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with program(str(script)) as server:
        wait_for(lambda: "[0, 2, 4, 6, 8]" in server.lines, "its answers")


def test_the_errors_and_numbers_of_the_page_are_those_of_the_code() -> None:
    table = PAGE[PAGE.index("| it raises |") :]
    for name in re.findall(r"`([A-Z]\w+)`", table[: table.index("All are in")]):
        assert hasattr(errors, name), name
    assert f"from {LARGE_BYTES >> 10} KB" in PAGE
