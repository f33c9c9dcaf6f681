from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from tests.support.census import Census, take
from tests.support.needs import require, require_modules
from tests.support.waiting import until


def test_until_says_whether_it_came_true() -> None:
    answers = iter([False, False, True])
    assert until(lambda: next(answers))
    assert not until(lambda: False, within_s=0.01)


def test_a_census_names_the_child_the_file_and_the_thread_that_are_new() -> None:
    before, go = take(), threading.Event()
    thread = threading.Thread(target=go.wait, name="forgotten")
    thread.start()
    reading, writing = os.pipe()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=reading)
    try:
        left = "\n".join(take().more_than(before))
    finally:
        go.set()
        thread.join()
        os.close(writing)
        os.close(reading)
        child.wait()
    assert "forgotten" in left
    assert f"child process {child.pid}" in left
    assert f"open file {writing}: pipe:" in left
    assert take().more_than(before) == []


def test_a_renewed_file_is_no_leak() -> None:
    before = Census({}, {3: "socket:[1]"}, {})
    assert Census({}, {4: "socket:[2]"}, {}).more_than(before) == []


@pytest.mark.parametrize(
    ("ci", "ending"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_what_is_missing_skips_on_a_laptop_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, ending: type[BaseException]
) -> None:
    monkeypatch.setenv("TESTS_CI", ci)
    with pytest.raises(ending, match="no-such-tool"):
        require("no-such-tool")
    with pytest.raises(ending, match="pip install"):
        require_modules("no_such_module", install="pip install it")
