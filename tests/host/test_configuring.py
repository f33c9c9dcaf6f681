"""`headrace serve` with files, variables and flags: what it prints, refuses, serves."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from tests.e2e.serving import PATIENCE_S, Program, program

pytestmark = pytest.mark.e2e

MODEL = """
import headrace as hr

@hr.deployment(max_batch_size=4)
class Embed(hr.Model):
    def predict_batch(self, xs: list[int]) -> list[int]:
        return xs

hr.run(Embed, keep_alive_timeout_s=5, gzip=True, port=1)
"""
TOML = """
[server]
keep_alive_timeout_s = 60
max_body_bytes = "8 MiB"
port = 2

[deployments.embed]
replicas = 3
max_batch_size = 8
"""
REAL = """
import os
port = os.environ.get("APP_PORT", "5000")
bind = "127.0.0.1%s" % port
keep_alive = 5
daemon = 'false'
timeout = 100000
limit_request_field_size = 0
accesslog = "logs/access.log"
pidfile = "run/app.pid"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.py").write_text(MODEL)
    return tmp_path


def serve(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a serve command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "headrace", "serve", "m.py", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", **(env or {})},
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE_S,
        check=False,
    )


def test_each_value_is_printed_with_its_source(folder: Path) -> None:
    (folder / "headrace.toml").write_text(TOML)
    env = {"HEADRACE_PORT": "3", "HEADRACE_SET": "Embed.replicas=4", "HEADRACE_API_KEYS": "k"}
    said = serve(
        folder, "--port", "4", "--set", "Embed.max_batch_size=16", "--print-config", env=env
    )
    assert said.returncode == 0, said.stderr
    printed = {
        pair.strip(): source
        for line in said.stdout.splitlines()
        for pair, _, source in [line.rpartition("  # ")]
    }
    assert printed["port = 4"] == "--port"
    assert printed["keep_alive_timeout_s = 60"] == "headrace.toml:3"
    assert printed["max_body_bytes = 8388608"] == "headrace.toml:4"
    assert printed["gzip = true"] == "code"
    assert printed["backlog = 2048"] == "default"
    assert printed["replicas = 4"] == "HEADRACE_SET Embed.replicas"
    assert printed["max_batch_size = 16"] == "--set Embed.max_batch_size"
    tomllib.loads(said.stdout)
    assert max(map(len, said.stdout.splitlines())) <= 100


def test_keep_alive_of_the_environment_wins_over_the_file(folder: Path) -> None:
    (folder / "headrace.toml").write_text(TOML)
    env = {"HEADRACE_KEEP_ALIVE_TIMEOUT_S": "90"}
    said = tomllib.loads(serve(folder, "--print-config", env=env).stdout)["server"]
    assert said["keep_alive_timeout_s"] == 90


def test_options_of_a_file_reach_the_deployment(folder: Path) -> None:
    (folder / "headrace.toml").write_text(TOML)
    with started(folder, "headrace.toml", "--port", "0") as server:
        server.wait_until_serving()
        said = httpx2.post(f"{server.url}/predict", json=3, timeout=PATIENCE_S)
        assert said.json() == 3
        assert "3 replicas" in server.terminal


def started(
    folder: Path, config: str, *words: str, env: Mapping[str, str] | None = None
) -> contextlib.AbstractContextManager[Program]:
    """Run a server in the folder."""
    there = ("--chdir", str(folder), "-c", str(folder / config))
    return program("-m", "headrace", "serve", "m.py", *there, *words, env=env)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "many"], "headrace: --port: setting `port` must be a whole number, not 'many'"),
        (["--set", "Embde.replicas=2"], "no deployment `embde`; did you mean `embed`?"),
        (["--set", "Embed.replicas=0"], "must be a whole number of 1 or more, (least, most)"),
        (["-c", "no.toml"], "cannot read no.toml: "),
        (["-c", "no.py"], "cannot read no.py: "),
        (["-c", "no.yaml"], "-c no.yaml: a configuration file ends in .toml or .py"),
        (["--chdir", "nowhere"], "--chdir: setting `chdir`: cannot go to nowhere: No such file"),
        (["--pidfile", "no/p"], "no/p is in a folder that is not there; mkdir -p no"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_exits_2(
    folder: Path, words: list[str], message: str
) -> None:
    said = serve(folder, *words)
    assert message in said.stderr
    assert "Traceback" not in said.stderr
    assert said.returncode == 2


def test_a_real_file_starts_once_its_two_faults_are_mended_and_its_folders_made(
    folder: Path,
) -> None:
    conf = folder / "conf.py"
    conf.write_text(REAL)
    said = serve(folder, "-c", "conf.py")
    assert said.returncode == 2
    lines = said.stderr.removeprefix("headrace: ").splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["conf.py:4", "conf.py:5"]
    conf.write_text(REAL.replace("0.1%s", "0.1:%s").replace("keep_alive", "keepalive"))
    said = serve(folder, "-c", "conf.py")
    assert said.returncode == 2
    assert said.stderr.count("mkdir -p") == 2
    (folder / "logs").mkdir()
    (folder / "run").mkdir()
    with started(folder, "conf.py", env={"APP_PORT": "0"}) as server:
        server.wait_until_serving()
        said_now = httpx2.post(f"{server.url}/predict", json=3, timeout=PATIENCE_S)
        assert said_now.json() == 3
        assert server.terminal.count("/conf.py:") == 2  # timeout, limit_request_field_size


def test_the_server_itself_runs_no_configuration_file(folder: Path) -> None:
    (folder / "conf.py").write_text("import os\nworkers = 1\nraw_env = [f'RUN_BY={os.getpid()}']\n")
    said = serve(folder, "-c", "conf.py", "--print-config")
    pid = int(tomllib.loads(said.stdout)["server"]["env"]["RUN_BY"])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)  # it was a child of the command, and is gone


def test_variables_of_the_file_are_there_when_the_target_is_imported(folder: Path) -> None:
    (folder / "m.py").write_text(
        MODEL + "\nimport os\nprint('IMPORTED WITH', os.environ['WORD'])\n"
    )
    said = serve(folder, "--env", "WORD=abc", "--print-config")
    assert "IMPORTED WITH abc" in said.stdout + said.stderr
