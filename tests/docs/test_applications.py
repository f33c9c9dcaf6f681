"""The page docs/applications.md is right: its programs, its file and its commands do as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.docs.test_examples import ROOT
from tests.e2e.serving import PATIENCE_S, Program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PAGE = (ROOT / "docs" / "applications.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WORDS = "\ncount = hr.bind(Count, 'a')\nvowels = hr.bind(Count, 'e')\n"


def block(kind: str, number: int = 0) -> str:
    return [text for name, text in BLOCKS if name == kind][number]


def post(url: str, path: str) -> Any:
    answer = httpx2.post(url + path, json="a b b c c c", timeout=PATIENCE_S)
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_the_programs_of_the_page_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words_of_the_page.py").write_text(block("python"))
    monkeypatch.syspath_prepend(tmp_path)
    import words_of_the_page as page  # type: ignore[import-not-found]

    try:
        page.server.settings["port"] = 0
        seen: list[Any] = []
        names = {"hr": page.hr, "Count": page.Count, "server": page.server, "seen": seen}
        steps = block("python", 1).replace(
            "    running.delete", "    seen.append(running.url)\n    running.delete"
        )
        look = "    seen += [look(running.url, p) for p in ('/predict', '/count', '/third')]\n"
        exec(steps + look, names | {"look": post})  # noqa: S102 - the page is ours
        assert seen[1:] == ["short", 2, 404]
    finally:
        sys.modules.pop("words_of_the_page", None)


def test_the_file_and_the_commands_of_the_page_work(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text(block("python") + WORDS)
    (tmp_path / "headrace.toml").write_text(block("toml"))
    server = Program(
        "-c",
        f"import os, sys; os.chdir({str(tmp_path)!r}); sys.argv[0] = 'headrace'; "
        "from headrace.cli import main; main()",
        *("serve", "--port", "0", "--pidfile", "server.pid"),
    )

    def run(words: str) -> str:
        said = subprocess.run(
            [sys.executable, "-m", *words.split()],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=6 * PATIENCE_S,
            check=False,
        )
        assert said.returncode == 0, said.stderr
        return said.stdout

    try:
        server.wait_for_line(" at http", 30)
        assert (post(server.url, "/count"), post(server.url, "/text/vowels")) == (1, 0)
        for command in block("sh").splitlines():
            told = run(command)
            if " deploy " in command:
                assert "POST /vowels  vowels.count: 1 replica" in told
                assert post(server.url, "/vowels") == 0
            if " status " in command:
                assert "vowels at /vowels" in told
        assert post(server.url, "/vowels") == 404
        assert "application vowels at /text/vowels" in run("headrace check")
    finally:
        server.close()
