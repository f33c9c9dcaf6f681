"""The public names mean to type checkers what they mean at run time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [pytest.mark.typing, pytest.mark.timeout(180)]

HERE = Path(__file__).parent
RIGHT, WRONG = HERE / "right.py", HERE / "wrong.py"
ROOT = HERE.parents[1]
FOUND = re.compile(r"^(.+?):(\d+): error: (.*)$", re.MULTILINE)

Errors = dict[tuple[str, int], str]


def mypy(cache: Path) -> Errors:
    command = ["mypy", "--strict", f"--cache-dir={cache}", "--follow-imports=silent"]
    return {
        (Path(file).name, int(line)): words
        for file, line, words in FOUND.findall(output(*command, str(RIGHT), str(WRONG)))
    }


def basedpyright(folder: Path) -> Errors:
    options = {"include": [str(RIGHT), str(WRONG)], "typeCheckingMode": "strict"}
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps({**options, "extraPaths": [str(ROOT / "src")]}))
    command = ["basedpyright", "--outputjson", "--pythonpath", sys.executable]
    told = json.loads(output(*command, "--project", str(config)))
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1): each["message"]
        for each in told["generalDiagnostics"]
        if each["severity"] == "error"
    }


def output(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def expected() -> set[tuple[str, int]]:
    lines = enumerate(WRONG.read_text().splitlines(), 1)
    return {(WRONG.name, number) for number, line in lines if line.endswith("# expect")}


@pytest.mark.skipif(find_spec("basedpyright") is None, reason="pip install --group dev")
@pytest.mark.parametrize("checker", [mypy, basedpyright])
def test_what_is_right_passes_and_each_mistake_is_found(
    checker: Callable[[Path], Errors], tmp_path: Path
) -> None:
    found = checker(tmp_path)
    assert {place: words for place, words in found.items() if place not in expected()} == {}
    assert expected() - found.keys() == set()
