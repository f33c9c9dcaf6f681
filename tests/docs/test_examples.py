"""Every example runs, and says what its page says; the README's program is one of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.serving import PATIENCE_S, program, served

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ROWS = """
 0  0  0 12 13  0  0  0
 0  0  5 16  8  0  0  0
 0  0 13 16  3  0  0  0
 0  0 14 13  0  0  0  0
 0  0 15 12  7  2  0  0
 0  0 13 16 13 16  3  0
 0  0  7 16 11 15  8  0
 0  0  1  9 15 11  3  0
"""  # the seventh of scikit-learn's digits
SIX = [int(pixel) for pixel in ROWS.split()]

ASKED: dict[str, tuple[dict[str, Any], Any]] = {
    "hello.py": ({"json": "Ada"}, "Hello, Ada!"),
    "echo.py": ({"json": {"input": 3}}, {"output": 9.0}),
    "async_model.py": ({"json": "Ada"}, {"user": "Ada", "orders": 3, "rating": 1.0}),
    "batching.py": ({"json": SIX}, 6),
    "composition.py": ({"json": 5}, {"doubled": 10.0, "squared": 25.0}),
    "loading.py": ({"json": SIX}, 6),
    "upload.py": (
        {"files": {"document": ("a.txt", b"to be or not to be")}, "data": {"top": "1"}},
        {"to": 2},
    ),
}


def test_every_example_is_asked() -> None:
    applications = {"flask_app.py", "flask_conf.py", "fastapi_lifespan.py", "image_model.py"}
    jobs = {"task_scheduled.py", "embedding_jobs.py"}
    graphs = {"image_pipeline.py", "model_multiplexer.py", "voice_activity.py"}
    elsewhere = {
        "shutdown.py",
        "streaming.py",
        *applications,
        *graphs,
        *jobs,
    }  # in files of their own
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(ASKED) | elsewhere


@pytest.mark.parametrize("name", ASKED)
def test_an_example_answers_as_it_says(name: str) -> None:
    question, answer = ASKED[name]
    with served(str(EXAMPLES / name)) as server:
        said = httpx2.post(f"{server.url}/predict", timeout=PATIENCE_S, **question)
        assert (said.status_code, said.json()) == (200, answer)


def test_the_programs_of_the_readme_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        script = tmp_path / "script.py"
        script.write_text(block.replace("port=8000", "port=0"))
        with program(str(script)) as server:
            server.wait_until_serving()
            said = httpx2.post(f"{server.url}/predict", json="Ada", timeout=PATIENCE_S)
            assert said.json() == "Hello, Ada!"
