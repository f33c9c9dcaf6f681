"""Whose a database is: ours, whole and of this version; and one server's at a time."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.core.attempts import Said
from headrace.core.jobs import Status, Terms
from headrace.errors import ConfigError
from headrace.interfaces import Content
from headrace.jobs import schema
from headrace.jobs.sqlite import Options, SqliteJobs
from tests.jobs.stores import LARGE, SOON_S, claimed, files_of, finished, store_in, submitted
from tests.support.waiting import until

CHILD = """
import sys
from pathlib import Path
from headrace.core.attempts import Said
from headrace.errors import StaleAttempt
from headrace.interfaces import Content
from headrace.jobs.sqlite import Options, SqliteJobs
store = SqliteJobs(Path(sys.argv[1]) / "jobs.db", Options(lease_s=0.3, holder="the first server"))
"""


def spawned(folder: Path, program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def test_a_second_server_is_told_who_has_the_jobs_until_that_one_is_gone(tmp_path: Path) -> None:
    child = spawned(tmp_path, "print('open', flush=True); input()")
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(ConfigError, match="in the hands of the first server") as refused:
            SqliteJobs(tmp_path / "jobs.db")
        assert refused.value.exit_code == 2
        os.kill(child.pid, signal.SIGKILL)
        with store_in(tmp_path, Options(patience_s=SOON_S)) as store:  # it waits for a lock to go
            submitted(store)
    finally:
        ended(child)


def test_a_store_is_open_once_in_a_process_too(tmp_path: Path) -> None:
    with (
        store_in(tmp_path) as store,
        pytest.raises(ConfigError, match=f"process {os.getpid()}"),
    ):
        SqliteJobs(store.path)
    with store_in(tmp_path):
        pass


def test_what_a_dead_server_held_is_anothers_at_once(tmp_path: Path) -> None:
    with store_in(tmp_path, Options(lease_s=3600)) as store:
        for _ in range(3):
            submitted(store)
    program = "print(len(store.claim(['embed'], 2).result()), flush=True); input()"
    child = spawned(tmp_path, program)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "2\n"
        os.kill(child.pid, signal.SIGKILL)
        with store_in(tmp_path, Options(patience_s=SOON_S)) as store:
            assert store.taken_over == 2
            assert sorted(c.job.attempt for c in claimed(store, 5)) == [1, 2, 2]
    finally:
        ended(child)


FROZEN = """
(first,) = store.claim(["embed"], 1).result()
print("claimed", flush=True)
input()
print(store.sweep().result().lost, flush=True)
(second,) = store.claim(["embed"], 1).result()
try:
    store.finish(first.hold, Said.SUCCEEDED, Content(b"", b"stale")).result()
except StaleAttempt as refused:
    print("refused:", refused, flush=True)
store.finish(second.hold, Said.SUCCEEDED, Content(b"", b"fresh")).result()
store.close()
"""


def test_the_stale_word_of_an_owner_that_was_frozen_past_its_lease_is_refused(
    tmp_path: Path,
) -> None:
    with store_in(tmp_path) as store:
        job = submitted(store)
    child = spawned(tmp_path, FROZEN)
    try:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "claimed\n"
        os.kill(child.pid, signal.SIGSTOP)
        reading = schema.connected(tmp_path / "jobs.db")
        late = "SELECT lease_until < unixepoch('subsec') FROM jobs"
        try:
            (version,) = reading.execute("SELECT sqlite_version()").fetchone()
            if tuple(map(int, version.split("."))) < (3, 42):
                late = "SELECT lease_until < (julianday('now') - 2440587.5) * 86400 FROM jobs"
            assert until(lambda: reading.execute(late).fetchone() == (1,), within_s=SOON_S)
        finally:
            reading.close()
        os.kill(child.pid, signal.SIGCONT)
        said, _ = child.communicate("\n", timeout=SOON_S)
    finally:
        ended(child)
    assert re.match(r"1\nrefused: attempt 1 of job .* attempt 2 runs. Drop its result\n", said)
    with store_in(tmp_path) as store:
        assert store.show(None, job.id).result(SOON_S).job.status is Status.SUCCEEDED
        assert store.result(None, job.id).result(SOON_S).data == b"fresh"


# --- foreign, newer, damaged ---------------------------------------------------------------------


def refusal(path: Path) -> str:
    """Open what must not open; it is left as it was, and nothing stays open."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(ConfigError) as refused:
        SqliteJobs(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    return str(refused.value)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("the only copy of my thesis")
    assert "no database of jobs" in refusal(path)


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE jobs (id)")
    theirs.close()
    assert "another program's" in refusal(path)


def test_a_newer_database_is_left_as_it_is(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        path = store.path
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.execute("PRAGMA journal_mode = DELETE")
    newer.close()
    assert "version 99" in refusal(path)
    assert "upgrade" in refusal(path)


def test_a_folder_that_is_not_there_is_named_with_the_mend(tmp_path: Path) -> None:
    assert "cannot write" in refusal(tmp_path / "gone" / "jobs.db")
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal(tmp_path / "file" / "jobs.db")


@pytest.mark.parametrize("where", [0.0, 0.5])
def test_a_damaged_database_says_so_at_the_start(tmp_path: Path, where: float) -> None:
    with store_in(tmp_path) as store:
        for _ in range(200):
            submitted(store, b"x" * 1000)
        path = store.path
    size = path.stat().st_size
    at = max(100, int(size * where) // 4096 * 4096)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 8192)
    said = refusal(path)
    assert "is damaged" in said
    assert ".recover" in said


def test_a_database_cut_short_says_so_at_the_start(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        for _ in range(50):
            submitted(store, b"x" * 1000)
        path = store.path
    os.truncate(path, path.stat().st_size // 2)
    assert "is damaged" in refusal(path)


def test_a_migration_that_fails_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store_in(tmp_path) as store:
        job, path = submitted(store), store.path
    worse = [*schema.MIGRATIONS, ["CREATE TABLE halfway (x)", "CREATE TABLE jobs (x)"]]
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", worse)
        with pytest.raises(ConfigError, match=r"brought to version 2.*as it was"):
            SqliteJobs(path)
    with store_in(tmp_path) as store:
        assert store.show(None, job.id).result(SOON_S).job == job


def test_a_migration_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store_in(tmp_path) as store:
        job = submitted(store)
    more = [*schema.MIGRATIONS, ["ALTER TABLE jobs ADD COLUMN colour TEXT"]]
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    for _ in range(2):
        with store_in(tmp_path) as store:
            assert store.show(None, job.id).result(SOON_S).job == job
            (version,) = store._written.execute("PRAGMA user_version").fetchone()
            assert version == 2


def test_what_killed_writers_left_is_tidied_up_and_what_is_referred_to_stays(
    tmp_path: Path,
) -> None:
    with store_in(tmp_path) as store:
        submitted(store, LARGE)
        (kept,) = files_of(store)
    folder = tmp_path / "jobs.db.files" / "00"
    folder.mkdir()
    (folder / f"{'0' * 64}.17.part").write_bytes(b"half")
    (folder / ("0" * 64)).write_bytes(b"nobody's")
    with store_in(tmp_path) as store:
        submitted(store, terms=Terms(delay_s=60))  # another deed, at the same time
        assert until(lambda: files_of(store) == [kept], within_s=SOON_S)
        (claim,) = claimed(store)
        assert store.read(claim.content).result(SOON_S) == LARGE
        finished(store, claim, Said.SUCCEEDED, Content(b"", LARGE))
        assert files_of(store) == [kept]
