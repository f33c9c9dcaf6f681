"""A disk that takes no more: a clear refusal, nothing half accepted, nothing lost."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from headrace.core.attempts import Said
from headrace.core.jobs import Status
from headrace.errors import Refused, StorageFull
from headrace.interfaces import Content
from headrace.jobs import fresh
from headrace.jobs.faults import told
from headrace.jobs.sqlite import SqliteJobs
from tests.jobs.stores import (
    LARGE,
    SOON_S,
    claimed,
    files_of,
    finished,
    store_in,
    submission,
    submitted,
)

CHILD = """
import json, resource, signal, sys
from tests.jobs.stores import *
from headrace.errors import StorageFull
store = SqliteJobs(sys.argv[1] + "/jobs.db")
accepted, refused = [], []
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for n in range(400):
    key = f"k{n}"
    try:
        store.submit(submission(key.encode() * 1000, key=key)).result()
        accepted.append(key)
    except StorageFull as full:
        assert full.status == 507 and full.retry_after_s, full
        refused.append(str(full))
shown = store.page(None, at_most=1000).result()
print(json.dumps([accepted, refused[:1], len(refused), len(shown.jobs)]), flush=True)
"""


@pytest.mark.parametrize("limit", [200_000, 350_000])
def test_a_real_limit_refuses_the_rest_and_keeps_what_was_accepted(
    tmp_path: Path, limit: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(limit)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "src:."},
        timeout=60,
    )
    accepted, words, refused, seen = json.loads(ran.stdout)
    assert accepted
    assert refused
    assert seen == len(accepted)
    assert "takes no more" in words[0]
    assert "nothing was accepted" in words[0]
    with store_in(tmp_path) as store:
        got = {store.read(claim.content).result(SOON_S) for claim in claimed(store, 1000)}
        assert got == {key.encode() * 1000 for key in accepted}
        submitted(store)  # where there is room again, all goes on


class Full:
    """A connection on a disk that is full from some statement on; everything else is real."""

    def __init__(self, real: sqlite3.Connection, word: str) -> None:
        self._real, self.word, self.is_full = real, word, True

    def execute(self, statement: str, *values: object) -> object:
        if self.is_full and statement.startswith(self.word):
            if self.word == "COMMIT":
                self._real.execute("ROLLBACK")  # as SQLite does
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._real.execute(statement, *values)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteJobs]:
    with store_in(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("word", ["BEGIN", "INSERT INTO jobs", "INSERT INTO inputs", "COMMIT"])
def test_wherever_it_strikes_nothing_is_half_accepted(store: SqliteJobs, word: str) -> None:
    kept = submitted(store)
    (claim,) = claimed(store)
    full = Full(store._written, word)
    store._books.raw = full  # type: ignore[assignment]
    store._books.events._connection = full  # type: ignore[assignment]
    for data in (b"small", LARGE):
        with pytest.raises(StorageFull, match="nothing was accepted"):
            submitted(store, data)
    if word in {"BEGIN", "COMMIT"}:
        with pytest.raises(StorageFull):
            finished(store, claim, Said.SUCCEEDED, Content(b"", b"answer"))
    assert [job.number for job in store.page(None).result(SOON_S).jobs] == [kept.number]
    full.is_full = False
    if word in {"BEGIN", "COMMIT"}:
        after = finished(store, claim, Said.SUCCEEDED, Content(b"", b"answer"))
        assert after.status is Status.SUCCEEDED
    later = submitted(store)
    assert later.number == kept.number + 1
    assert store._books.crowd.queued == 1
    assert files_of(store) == [], "what was refused left a file"


def test_a_job_that_there_is_no_room_for_takes_no_other_along(
    store: SqliteJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fresh._insert

    def insert(
        connection: sqlite3.Connection, statement: str, values: Sequence[tuple[object, ...]]
    ) -> None:
        if any(b"huge" in row for row in values):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        real(connection, statement, values)

    monkeypatch.setattr(fresh, "_insert", insert)
    gate = threading.Event()
    blocked = store._writes.ask(gate.wait)
    answers = [store.submit(submission(data)) for data in (b"one", b"huge", b"two")]
    gate.set()
    blocked.result(SOON_S)
    assert answers[0].result(SOON_S).is_new
    with pytest.raises(StorageFull):
        answers[1].result(SOON_S)
    assert answers[2].result(SOON_S).is_new
    assert len(store.page(None).result(SOON_S).jobs) == 2


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_a_large_content_without_room_leaves_nothing(
    store: SqliteJobs, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def strikes(*words: object, **named: object) -> object:
        if threading.current_thread().name == "headrace-jobs-files":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*words, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, strikes)
        with pytest.raises(StorageFull, match="No space left"):
            submitted(store, LARGE)
    assert files_of(store) == []
    submitted(store, LARGE)
    assert len(files_of(store)) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "full"), StorageFull),
        (OSError(errno.EDQUOT, "quota"), StorageFull),
        (OSError(errno.EIO, "broken"), Refused),
        (sqlite3.OperationalError("disk I/O error"), Refused),
        (sqlite3.IntegrityError("a bug"), sqlite3.IntegrityError),
        (KeyError("a bug"), KeyError),
    ],
)
def test_every_fault_has_its_kind(error: Exception, kind: type[Exception]) -> None:
    after = told(error, "jobs.db")
    assert type(after) is kind
    assert after is error or after.__cause__ is error


def test_the_limit_of_this_test_is_the_childs_alone() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert shutil.disk_usage("/").free > 0
