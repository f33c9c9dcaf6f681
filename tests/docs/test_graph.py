"""The page docs/graph.md is right: its graph answers, and only its front is seen."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from tests.docs.test_examples import ROOT
from tests.e2e.serving import PATIENCE_S, program, status

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

PAGE = (ROOT / "docs" / "graph.md").read_text()


def test_the_graph_of_the_page_answers(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    script = tmp_path / "graph.py"
    script.write_text(block.replace("port=8000", "port=0"))
    with program(str(script)) as server:
        server.wait_until_serving()
        url = f"{server.url}/predict"
        assert httpx2.post(url, json="to be or not", timeout=PATIENCE_S).json() == 4.5
        assert set(status(server)["deployments"]) == {"front", "tokenize", "weigh"}
        assert httpx2.post(f"{server.url}/weigh", json=["a"]).status_code == 404


def test_every_page_it_names_is_there() -> None:
    for name in re.findall(r"\]\((\w+\.md)\)", PAGE):
        assert (ROOT / "docs" / name).exists(), name
