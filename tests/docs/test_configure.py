"""The page docs/configure.md is right: its files are read, its mistakes are told as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT
from tests.e2e.serving import APPS, PATIENCE_S

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "configure.md").read_text()
BLOCKS = dict(re.findall(r"^```(toml|python|text)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def serve(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `headrace serve` with words that end by themselves."""
    return subprocess.run(
        [sys.executable, "-m", "headrace", "serve", *words],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE_S,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the program of the page."""
    model = (APPS / "hello.py").read_text().replace("class Hello", "class Embed")
    (tmp_path / "app.py").write_text(model)
    (tmp_path / "module.py").write_text((APPS / "plain_wsgi.py").read_text())
    return tmp_path


def test_the_file_of_the_page_is_in_force_below_the_environment(folder: Path) -> None:
    (folder / "headrace.toml").write_text(BLOCKS["toml"])
    env = {"HEADRACE_KEEP_ALIVE_TIMEOUT_S": "90"}
    said = serve(folder, "app.py", "--print-config", "--port=9001", env=env)
    assert said.returncode == 0, said.stderr
    told = tomllib.loads(said.stdout)
    server = told["server"]
    assert server["port"] == 9001
    assert server["max_body_bytes"] == 8 << 20
    assert server["graceful_timeout_s"] == 120
    assert server["cors_origins"] == ["https://shop.example"]
    assert server["env"] == {"OMP_NUM_THREADS": "4"}
    assert server["keep_alive_timeout_s"] == 90
    assert told["deployments"]["embed"] == {"replicas": 4, "timeout_s": 10}


def test_the_gunicorn_configuration_of_the_page_is_taken_as_it_is(folder: Path) -> None:
    (folder / "conf.py").write_text(BLOCKS["python"])
    words = ("-c", "conf.py", "module:app", "--print-config")
    said = serve(folder, *words, env={"APP_PORT": "8123"})
    assert (said.returncode, said.stderr) == (0, "")
    server = tomllib.loads(said.stdout)["server"]
    assert server["bind"] == ["0.0.0.0:8123"]
    assert (server["workers"], server["threads"], server["worker_timeout_s"]) == (2, 4, 60)
    assert (server["keep_alive_timeout_s"], server["access_log"]) == (75, "-")


def test_each_mistake_of_the_page_is_told_so(folder: Path) -> None:
    in_file, in_variable, in_flag = BLOCKS["text"].splitlines()
    number = int(re.findall(r"headrace\.toml:(\d+)", in_file)[0])
    many = serve(folder, "app.py", env={"HEADRACE_PORT": "many"})
    glued = serve(folder, "app.py", "--bind=10.0.0.1")
    (folder / "headrace.toml").write_text("[server]\n" + "\n" * (number - 2) + "prot = 1\n")
    typo = serve(folder, "app.py")
    for said, line in ((typo, in_file), (many, in_variable), (glued, in_flag)):
        assert (said.returncode, said.stderr) == (2, f"{line}\n")
