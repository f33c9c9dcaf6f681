"""The page docs/scaling.md is right: its programs run, its options and figures are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from headrace.model.deployment import Options
from tests.e2e.serving import PATIENCE_S, ask, program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
RESIZE, SHOUT, JUDGE = PROGRAMS


def test_the_options_have_the_defaults_on_the_page() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", PAGE, re.MULTILINE))
    assert set(rows) == {
        *("replicas", "target_ongoing_requests", "upscale_delay_s", "downscale_delay_s")
    }
    for option, default in rows.items():
        assert getattr(Options(), option) == float(default)


def test_the_page_tells_every_metric_of_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(RESIZE.replace("port=8000", "port=0"))
    with program(str(script)) as server:
        server.wait_until_serving()
        server.wait_for_line("resize: 1 to 4 replicas")
        assert ask(server.url, "/predict", 8).json() == 4
        text = httpx2.get(f"{server.url}/-/metrics", timeout=PATIENCE_S).text
        told: dict[str, Any] = httpx2.get(f"{server.url}/-/info", timeout=PATIENCE_S).json()
    scaling = told["deployments"]["resize"]["scaling"]
    assert (scaling["least"], scaling["most"], scaling["capacity"]) == (1, 4, 2.0)
    for metric in re.findall(r"`(headrace_\w+)`", PAGE):
        assert f"# TYPE {metric} " in text


def test_one_with_health_is_served(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"{SHOUT}\nif __name__ == '__main__':\n    hr.run(Shout, port=0)\n")
    with program(str(script)) as server:
        server.wait_until_serving()
        assert ask(server.url, "/predict", "ada").json() == "ADA"


def test_a_config_is_changed_while_it_runs(tmp_path: Path) -> None:
    asks = """\
        import httpx2
        print("judged", httpx2.post(f"{running.url}/predict", json=0.7).json())
"""
    script = tmp_path / "script.py"
    script.write_text(JUDGE.replace("port=8000", "port=0") + asks)
    with program(str(script)) as server:
        server.wait_for_line("judged False")
