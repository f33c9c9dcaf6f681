"""The page docs/streaming.md is right: its programs stream what it says, as the example does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from headrace.core.credit import WINDOW
from headrace.model.deployment import Options
from headrace.model.outlet import MOST_HELD, MOST_HELD_BYTES
from tests.e2e.serving import PATIENCE_S, program

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "streaming.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLE = (ROOT / "examples" / "streaming.py").read_text()
ASKED: list[tuple[str, Any, str, str]] = [
    (PROGRAMS[0], "hello", "hello", "data: h\n\n"),
    (PROGRAMS[1], 3, "3\n2\n1\n", "data: 3\n\n"),
    (PROGRAMS[2], {"prompt": "la", "words": 2}, "la la ", "data: la \n\n"),
    (EXAMPLE.replace("hr.run(Shout)", "hr.run(Shout, port=8000)"), "a b", "A B ", "data: A \n\n"),
]


def test_there_is_a_program_for_each_way_to_stream() -> None:
    for block, word in zip(PROGRAMS, ("def predict(", "predict_batch", "admit"), strict=True):
        assert word in block


@pytest.mark.parametrize(
    ("block", "question", "whole", "event"), ASKED, ids=["predict", "batch", "steps", "example"]
)
def test_a_program_streams(
    block: str, question: Any, whole: str, event: str, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(block.replace("port=8000", "port=0"))
    with program(str(script)) as server:
        server.wait_until_serving()
        url = f"{server.url}/predict"
        said = httpx2.post(url, json=question, timeout=PATIENCE_S)
        assert (said.status_code, said.text) == (200, whole)
        wish = {"Accept": "text/event-stream"}
        said = httpx2.post(url, json=question, headers=wish, timeout=PATIENCE_S)
        assert said.text.startswith(event)
        assert said.text.endswith("event: done\ndata:\n\n")


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"some {WINDOW} items ahead" in PAGE
    assert f"up to {MOST_HELD} items or {MOST_HELD_BYTES >> 20} MiB" in PAGE
    assert f"`timeout_s` ({Options().timeout_s:g})" in PAGE
    assert Options().stream_timeout_s is None
