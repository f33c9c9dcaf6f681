"""As process 1 of a container the server ends when it is told to, however early, and buries all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.serving import APPS, PATIENCE_S, is_alive, program, wait_for

pytestmark = pytest.mark.e2e
ALONE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def may_unshare() -> bool:
    """Tell whether we may make a process 1."""
    if shutil.which(ALONE[0]) is None:
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def process_one(*words: str, env: dict[str, str], log: Path) -> Iterator[psutil.Process]:
    """Run headrace as process 1 of a namespace of its own; yield that process."""
    with log.open("w") as file:
        outer = subprocess.Popen(
            [*ALONE, sys.executable, "-m", "headrace", *words],
            cwd=APPS,
            env={**os.environ, **env},
            stdout=file,
            stderr=file,
        )
    try:
        wait_for(lambda: psutil.Process(outer.pid).children(), "process 1")
        yield psutil.Process(outer.pid).children()[0]
    finally:
        outer.kill()
        outer.wait()


def test_a_stop_while_the_target_is_imported_is_a_clean_one(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    env = {"MARK": str(mark), "SLOW": "import"}
    with program("-m", "headrace", "serve", "slow_start.py", "--port=0", env=env) as server:
        wait_for(lambda: mark.exists() and mark.read_text(), "the import to begin")
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        wait_for(lambda: not is_alive(int(mark.read_text())), "the end of the importing child")


@pytest.mark.skipif(not may_unshare(), reason="we may not make a process 1")
def test_process_1_ends_while_the_target_is_imported(tmp_path: Path) -> None:
    mark, log = tmp_path / "mark", tmp_path / "log"
    env = {"MARK": str(mark), "SLOW": "import"}
    words = ("serve", "slow_start.py", "--port=0")
    with process_one(*words, env=env, log=log) as one:
        wait_for(lambda: mark.exists() and mark.read_text(), "the import to begin")
        one.send_signal(signal.SIGTERM)
        wait_for(lambda: not is_alive(one.pid), "its end")


@pytest.mark.skipif(not may_unshare(), reason="we may not make a process 1")
def test_process_1_serves_and_ends_when_told_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process_one("serve", "hello.py", "--port=0", env={}, log=log) as one:
        wait_for(lambda: " at http" in log.read_text(), "the start line", 2 * PATIENCE_S)
        one.send_signal(signal.SIGTERM)
        wait_for(lambda: not is_alive(one.pid), "its end")
    assert "Traceback" not in log.read_text()
