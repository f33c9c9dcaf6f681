"""The page docs/configure.md is right: its files are read without a mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headrace.settings.environment import OTHERS
from headrace.settings.imported import interpret
from headrace.settings.python_file import run_file
from headrace.settings.toml import read_toml

PAGE = (Path(__file__).parents[2] / "docs" / "configure.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_its_toml_is_read(block: str, tmp_path: Path) -> None:
    file = tmp_path / "headrace.toml"
    file.write_text(block)
    read = read_toml(str(file))
    assert read.settings["graceful_timeout_s"].value == 120
    assert read.options["embed"]["replicas"].value == 4


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_its_gunicorn_file_is_taken_without_a_word(block: str, tmp_path: Path) -> None:
    file = tmp_path / "conf.py"
    file.write_text(block)
    read = interpret(str(file), run_file(str(file)))
    assert read.notes == ()
    assert read.settings["keep_alive_timeout_s"].value == 75


@pytest.mark.parametrize("name", ["HEADRACE_CONFIG", "HEADRACE_SET", "HEADRACE_API_KEYS_FILE"])
def test_the_variables_beside_the_settings_are_on_it(name: str) -> None:
    assert name in OTHERS
    assert f"`{name}`" in PAGE
