"""SIGKILL between any two steps of a writer: what was acknowledged is there, the rest whole or not.

The child counts its steps: each SQL statement of its writer, and each call that touches a file of a
large content, before and after. One run for each step kills it there.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace.core.attempts import Said
from headrace.core.jobs import EVERYBODY, JobId, Status
from headrace.interfaces import Content
from headrace.jobs.sqlite import Options, SqliteJobs
from tests.jobs.stores import LARGE, SOON_S, claimed, files_of, store_in, submission
from tests.support.waiting import until

KEYS = ["small", "large", "also small", "large again"]


def data_of(key: str) -> bytes:
    return LARGE + key.encode() if key.startswith("large") else key.encode()


class Doomed:
    """Kills its process at the so-manieth step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self, store: SqliteJobs) -> None:
        store._written.set_trace_callback(self.step)
        for name in ("open", "write", "fsync", "close"):
            setattr(os, name, self._around(getattr(os, name)))
        Path.replace = self._around(Path.replace)  # type: ignore[method-assign, assignment]
        Path.mkdir = self._around(Path.mkdir)  # type: ignore[method-assign, assignment]

    def _around(self, call: object) -> object:
        def stepping(*words: object, **named: object) -> object:
            self.step()
            result = call(*words, **named)  # type: ignore[operator] # any function
            self.step()
            return result

        return stepping


def life(folder: Path, kill_at: int, tell: int) -> None:
    """Submit everything, claim and finish one, and tell of what was acknowledged."""
    store = SqliteJobs(folder / "jobs.db")
    doomed, say = Doomed(kill_at), os.write
    doomed.arm(store)
    for key in KEYS:
        store.submit(submission(data_of(key), key=key, id=JobId(key.replace(" ", "-")))).result()
        say(tell, f"accepted {key}\n".encode())
    (claim,) = store.claim(["embed"], 1).result()
    store.finish(claim.hold, Said.SUCCEEDED, Content(b"200", LARGE + b"answer")).result()
    say(tell, b"finished small\n")
    store.cancel(EVERYBODY, JobId("large")).result()
    say(tell, b"canceled large\n")
    store.close()
    say(tell, b"end\n")


def told_by_a_life(folder: Path, kill_at: int) -> list[str]:
    """Live in a child of its own; return what it had said before it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            life(folder, kill_at, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as said:
        told = said.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return told


def check_after(folder: Path, told: list[str]) -> None:
    with store_in(folder) as store:
        jobs = {job.id: job for job in store.page(None).result(SOON_S).jobs}
        accepted = {line.removeprefix("accepted ") for line in told if line.startswith("acc")}
        assert accepted <= {str(job).replace("-", " ") for job in jobs}, told
        for key in KEYS:  # what was not acknowledged is there as a whole, or not at all
            store.submit(submission(data_of(key), key=key, id=JobId(key.replace(" ", "-")))).result(
                SOON_S
            )
        assert len(store.page(None).result(SOON_S).jobs) == len(KEYS)
        shown = store.show(None, JobId("small")).result(SOON_S)
        if "finished small" in told:
            assert shown.job.status is Status.SUCCEEDED
        if shown.job.status is Status.SUCCEEDED:
            assert shown.output is not None
            assert store.read(shown.output).result(SOON_S) == LARGE + b"answer"
        if "canceled large" in told:
            large = store.show(None, JobId("large")).result(SOON_S)
            assert large.job.status is Status.CANCELED
        for claim in claimed(store, 10):
            key = claim.job.id.replace("-", " ")
            assert store.read(claim.content).result(SOON_S) == data_of(key)
        wanted = 2 + (shown.job.status is Status.SUCCEEDED)
        assert until(lambda: len(files_of(store)) == wanted, within_s=SOON_S), files_of(store)


def killed_at_every(stride: int, tmp_path: Path) -> None:
    kill_at, told = 1, [""]
    seen: set[int] = set()
    while told[-1:] != ["end"]:
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        told = told_by_a_life(folder, kill_at)
        check_after(folder, told)
        seen.add(len(told))
        kill_at += stride
    assert kill_at > 100, "the steps were not counted"
    assert seen >= set(range(6)), "no step was between two acknowledgements"


def test_killed_between_two_steps_a_server_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    killed_at_every(5, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_killed_between_any_two_steps_a_server_loses_nothing(tmp_path: Path) -> None:
    killed_at_every(1, tmp_path)


CROWD = """
import asyncio, sys
from tests.jobs.stores import LARGE, submission
from headrace.jobs.sqlite import SqliteJobs
store = SqliteJobs(sys.argv[1] + "/jobs.db")
async def one(name):
    for n in range(100_000):
        key = f"{sys.argv[2]}/{name}/{n}"
        data = (LARGE if n % 10 == 9 else b"") + key.encode()
        await store.submit(submission(data, key=key))
        print(key, flush=True)
async def main():
    await asyncio.gather(*(one(name) for name in range(16)))
asyncio.run(main())
"""


@pytest.mark.timeout(180)
def test_killed_at_any_moment_under_load_a_server_loses_nothing(tmp_path: Path) -> None:
    chance, acknowledged = random.Random(7), set()
    for turn in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CROWD, str(tmp_path), str(turn)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "src:."},
        )
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.3))  # at any moment
        child.kill()
        lines = [first, *child.stdout.read().splitlines(keepends=True)]
        child.stdout.close()
        child.wait(SOON_S)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        assert child.returncode == -signal.SIGKILL
    with store_in(tmp_path, Options()) as store:
        found: dict[str, int] = {}
        while claims := claimed(store, 200):
            for claim in claims:
                data = store.read(claim.content).result(SOON_S)
                key = data.removeprefix(LARGE)
                found[key.decode()] = found.get(key.decode(), 0) + 1
    assert len(acknowledged) > 100
    assert acknowledged <= set(found)
    assert set(found.values()) == {1}, "one key, two jobs"
