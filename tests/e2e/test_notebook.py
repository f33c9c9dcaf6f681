"""hr.start in a session that has no file: classes travel by value, cells are run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import headrace as hr
from tests.e2e.models import Echo, Napper
from tests.e2e.serving import ask, can_bind

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(30)]

SESSION = """
import os, httpx2
import headrace as hr

GREETING = "Hello"

def greet(name):
    return f"{GREETING}, {name}!"

class Hello(hr.Model):
    def predict(self, name: str) -> list:
        return [greet(name), os.getpid()]

def ask(url):
    text, pid = httpx2.post(url + "/predict", json="Ada").json()
    assert pid != os.getpid()
    return text

first = hr.start(Hello, port=0)
print(ask(first.url))

# the cell is changed and run again
GREETING = "Good day"

class Hello(hr.Model):
    def predict(self, name: str) -> list:
        return [greet(name) + "!", os.getpid()]

port = int(first.url.rpartition(":")[2])
second = hr.start(Hello, port=port)
print(ask(second.url))
print(first, second.url == first.url)
"""

CELLS = """
import types, sys
sys.ps1 = "In : "  # as a notebook's kernel has it
main = sys.modules["__main__"] = types.ModuleType("__main__")
for cell in open(sys.argv[1]).read().split("# the cell"):
    exec(compile("# the cell" + cell, "<cell>", "exec"), main.__dict__)
"""


def session(*arguments: str, typed: str | None = None) -> tuple[list[str], str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def check_session(said: list[str], told: str) -> list[str]:
    assert said[:2] == ["Hello, Ada!", "Good day, Ada!!"]
    assert said[2].endswith(" stopped> True")
    return [line for line in told.splitlines() if line.startswith("headrace ")]


def test_a_session_on_standard_input() -> None:
    (told,) = check_session(*session("-", typed=SESSION))
    assert told.endswith("it replaces the one before")


def test_cells_of_a_notebook(tmp_path: Path) -> None:
    cells = tmp_path / "cells.py"
    cells.write_text(SESSION)
    first, second = check_session(*session("-c", CELLS, str(cells)))
    assert "replaces" not in first
    assert second.endswith("it replaces the one before")


def test_starting_again_with_the_same_names_replaces(capfd: pytest.CaptureFixture[str]) -> None:
    first = hr.start(Echo, Napper, port=0)
    port = int(first.url.rpartition(":")[2])
    assert " at http" not in capfd.readouterr().err  # nobody types
    with hr.start(Napper, Echo, port=port) as second:
        assert "it replaces the one before" in capfd.readouterr().err
        assert ask(second.url, "/echo", 1).json() == 1
        with pytest.raises(RuntimeError, match="stopped"):
            first.status()
        first.stop()
        assert ask(second.url, "/echo", 2).json() == 2
    assert can_bind(port)


def test_a_stopped_server_is_not_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    with hr.start(Echo, port=0) as first:
        port = int(first.url.rpartition(":")[2])
    with hr.start(Echo, port=port):
        assert "replaces" not in capfd.readouterr().err
