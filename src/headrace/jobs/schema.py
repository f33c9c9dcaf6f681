"""The tables, how they came to be step by step, and whether a file may be taken for ours.

A file says by `application_id` that it is ours, and by `user_version` how many steps it has made.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from headrace.errors import ConfigError

APPLICATION = 0x4864724A
"""HdrJ"""
HEADER = b"SQLite format 3\x00"
MODE = 0o600
CHECKED_BYTES = 128 << 20
"""A larger file is not read through at the start: that would take longer than the start."""
BUSY_S = 10.0
WAL_BYTES = 64 << 20
RARE = "status NOT IN ('queued', 'succeeded')"

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL, tenant TEXT NOT NULL, endpoint TEXT NOT NULL,
            priority INTEGER NOT NULL, delay_s REAL NOT NULL, deadline_s REAL NOT NULL,
            max_attempts INTEGER NOT NULL, retry_safe INTEGER NOT NULL,
            first_delay_s REAL NOT NULL, longest_delay_s REAL NOT NULL,
            timeout_s REAL NOT NULL, retention_s REAL NOT NULL,
            created_at REAL NOT NULL, due REAL NOT NULL, deadline REAL NOT NULL,
            size_bytes INTEGER NOT NULL, status TEXT NOT NULL, cause TEXT NOT NULL,
            attempt INTEGER NOT NULL, failures INTEGER NOT NULL, losses INTEGER NOT NULL,
            retries INTEGER NOT NULL, owner TEXT NOT NULL, lease_until REAL NOT NULL,
            started_at REAL NOT NULL, ended_at REAL NOT NULL,
            keep_until REAL NOT NULL, is_gone INTEGER NOT NULL DEFAULT 0,
            fingerprint BLOB NOT NULL, key TEXT,
            done REAL, total REAL, note TEXT
        )
        """,
        "CREATE UNIQUE INDEX jobs_by_id ON jobs (id, tenant)",
        "CREATE UNIQUE INDEX jobs_by_key ON jobs (tenant, key) WHERE key IS NOT NULL",
        f"CREATE INDEX jobs_by_rare_status ON jobs (status, number) WHERE {RARE}",
        """
        CREATE INDEX jobs_in_line ON jobs (endpoint, priority, due, number)
            WHERE status = 'queued'
        """,
        "CREATE INDEX jobs_by_lease ON jobs (lease_until) WHERE status IN ('running', 'canceling')",
        """
        CREATE INDEX jobs_by_deadline ON jobs (deadline)
            WHERE status IN ('queued', 'running', 'canceling') AND deadline < 9e999
        """,
        "CREATE INDEX jobs_by_keeping ON jobs (is_gone, keep_until) WHERE keep_until < 9e999",
        """
        CREATE TABLE inputs (
            job INTEGER PRIMARY KEY, head BLOB NOT NULL, size_bytes INTEGER NOT NULL,
            data BLOB, file TEXT
        )
        """,
        """
        CREATE TABLE outputs (
            job INTEGER PRIMARY KEY, head BLOB NOT NULL, size_bytes INTEGER NOT NULL,
            data BLOB, file TEXT
        )
        """,
        "CREATE INDEX inputs_by_file ON inputs (file) WHERE file IS NOT NULL",
        "CREATE INDEX outputs_by_file ON outputs (file) WHERE file IS NOT NULL",
        """
        CREATE TABLE events (
            job INTEGER NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL,
            kind TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (job, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE schedules (
            name TEXT PRIMARY KEY, cron TEXT NOT NULL, next_due REAL NOT NULL,
            overlaps INTEGER NOT NULL, latest INTEGER, endpoint TEXT NOT NULL,
            terms BLOB NOT NULL, fingerprint BLOB NOT NULL, head BLOB NOT NULL, data BLOB NOT NULL
        )
        """,
    ),
)


def made_ready(path: Path) -> None:
    """See that the file is ours and of this version. Raises ConfigError; nobody else has it open.

    What is not ours is left as it is. Ours is readable for its owner only, for it holds what
    clients send.
    """
    _check_header(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
    except OSError as error:
        raise ConfigError(f"cannot write the jobs' database {path}: {error.strerror}") from error
    connection = _opened(path)
    try:
        _check_whose(path, connection)
        _share(path, connection)
        _migrate(path, connection)
        _check_whole(path, connection)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    finally:
        connection.close()


def connected(path: Path) -> sqlite3.Connection:
    """Open a database that was made ready. Whoever uses it begins and ends its transactions."""
    connection = _opened(path)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _share(path: Path, connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise ConfigError(
            f"the file system of {path} cannot share memory between processes, which the jobs' "
            "database needs (network file systems cannot): choose a file on a local disk"
        )


def _check_header(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError(
            f"the folder of the jobs' database {path} is not there; make it: mkdir -p {path.parent}"
        )
    try:
        with path.open("rb") as file:
            header = file.read(len(HEADER))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot read the jobs' database {path}: {error.strerror}") from error
    if header and header != HEADER:
        raise ConfigError(
            f"{path} is no database of jobs: it does not begin like one. It was left as it is; "
            "give the jobs another file"
        )


def _check_whose(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise ConfigError(
            f"{path} is another program's database. It was left as it is; give the jobs a file of "
            "their own"
        )
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"{path} was written by a newer Headrace (version {version} of the tables; this one "
            f"knows {len(MIGRATIONS)}): upgrade this one, or give it another file"
        )


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise ConfigError(
                f"the jobs' database {path} cannot be brought to version {number}: {error}. It is "
                "as it was"
            ) from error


def _check_whole(path: Path, connection: sqlite3.Connection) -> None:
    """Look for damage. What is too large to be read through must at least show its tables."""
    if path.stat().st_size <= CHECKED_BYTES:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _damaged(path, found)
    for table in ("jobs", "inputs", "outputs", "events", "schedules"):
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()


def _unusable(path: Path, error: sqlite3.Error) -> ConfigError:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    ):
        return _damaged(path, str(error))
    return ConfigError(f"the jobs' database {path} cannot be opened: {error}")


def _damaged(path: Path, words: str) -> ConfigError:
    return ConfigError(
        f"the jobs' database {path} is damaged: {words}. Save what can be read with "
        f"`sqlite3 {path} .recover`, or move it away to begin with an empty one"
    )
