"""A replica process gets exactly what it needs, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headrace.core.messages import Why
from headrace.processes.birth import Newborn, bear
from headrace.processes.watch import Watch, in_words, kill_group, why_it_ended
from headrace.replica.page import Page, make_page_fd


@pytest.fixture
def newborn() -> Iterator[Newborn]:
    born = bear({"HEADRACE_TEST": "yes"})
    yield born
    bury(born)


def bury(born: Newborn) -> None:
    kill_group(born.process)
    born.process.wait()
    born.sock.close()
    born.page.close()
    os.close(born.output_fd)


def test_a_replica_inherits_its_two_descriptors_and_no_other() -> None:
    stray, other_end = os.pipe()
    os.set_inheritable(stray, True)
    second = bear({})
    try:
        # three standard ones, socket, page, and what the interpreter reads
        assert psutil.Process(second.process.pid).num_fds() <= 7
    finally:
        bury(second)
        os.close(stray)
        os.close(other_end)


def test_a_replica_leads_a_group_of_its_own_with_our_environment_and_its(newborn: Newborn) -> None:
    pid = newborn.process.pid
    assert os.getpgid(pid) == pid
    environment = psutil.Process(pid).environ()
    assert environment["HEADRACE_TEST"] == "yes"
    assert environment["PATH"] == os.environ["PATH"]


def test_a_replica_whose_socket_closes_ends_by_itself(newborn: Newborn) -> None:
    newborn.sock.close()
    assert newborn.process.wait(5) == 0


def test_a_watch_tells_once_and_before_the_child_is_reaped() -> None:
    async def main() -> tuple[list[int], int]:
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(7)"])
        told: list[int] = []
        ended = asyncio.Event()

        def note() -> None:
            told.append(child.pid)
            ended.set()

        Watch(child, note)
        await asyncio.wait_for(ended.wait(), 5)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        await asyncio.sleep(0)
        return told, child.wait()

    told, code = asyncio.run(main())
    assert len(told) == 1
    assert code == 7


def test_killing_a_group_ends_what_a_child_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(child.pid))\n"
        "time.sleep(30)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], process_group=0)
    while not (mark.exists() and mark.read_text()):
        assert parent.poll() is None
    grandchild = psutil.Process(int(mark.read_text()))
    kill_group(parent)
    assert parent.wait(5) == -signal.SIGKILL
    psutil.wait_procs([grandchild], timeout=5)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("returncode", "why", "words"),
    [
        (0, Why.CRASHED, "exited with code 0"),
        (3, Why.CRASHED, "exited with code 3"),
        (-9, Why.KILLED, "was ended by SIGKILL"),
        (-11, Why.CRASHED, "was ended by SIGSEGV"),
        (-15, Why.CRASHED, "was ended by SIGTERM"),
        (-77, Why.CRASHED, "was ended by signal 77"),
    ],
)
def test_an_exit_has_a_reason_and_words(returncode: int, why: Why, words: str) -> None:
    assert why_it_ended(returncode) is why
    assert in_words(returncode) == words


def test_a_recalled_call_is_either_run_or_ours_never_both() -> None:
    """Whatever the order of claim and recall, the worker never owns a call that is run."""
    fd = make_page_fd()
    worker, replica = Page(fd), Page(fd)
    os.close(fd)
    worker.lift()
    assert replica.claim(1)
    assert worker.recall(1) == 2  # 1 runs: from 2 on they are ours
    assert not replica.claim(2)
    assert worker.claimed == 2
    worker.lift()
    assert replica.claim(3)
    assert worker.since > 0
    worker.close()
    replica.close()
