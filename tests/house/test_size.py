from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.sources import FILES, body_lines, functions, named

FILE_LINES = 400
BODY_LINES = 40


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_file_can_be_read_in_one_sitting(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= FILE_LINES, f"{lines} lines: find the second thing it decides, and move it out"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_function_fits_on_a_screen(file: Path) -> None:
    long = [f"{f.name}: {body_lines(f)}" for f in functions(file) if body_lines(f) > BODY_LINES]
    assert long == []
