"""What SQLite and the file system raise, in our words."""

from __future__ import annotations

import errno
import logging
import sqlite3

from headrace.errors import HeadraceError, Refused, StorageFull

log = logging.getLogger("headrace.jobs")

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FULL_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,  # a quota, a limit on the size of files
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
OURS = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""Bugs of ours, which are not to look like the disk's."""
RETRY_AFTER_S = 30.0


def told(error: Exception, path: str) -> Exception:
    """Return what whoever waits is to hear; an error of ours is that already."""
    if isinstance(error, (HeadraceError, *OURS)):
        return error
    if is_full(error):
        log.error("the disk of the job store %s is full: %s", path, error)
        return _because(
            StorageFull(
                f"the disk of the job store takes no more ({error}); nothing was accepted. Free "
                "some space there, or wait until older results are removed",
                retry_after_s=RETRY_AFTER_S,
            ),
            error,
        )
    if isinstance(error, (sqlite3.Error, OSError)):
        log.error("the job store %s fails: %s", path, error)
        return _because(
            Refused(f"the job store fails: {error}", retry_after_s=RETRY_AFTER_S), error
        )
    return error


def is_full(error: Exception) -> bool:
    """Tell whether there was no room."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in FULL_CODES
    return isinstance(error, OSError) and error.errno in FULL


def _because(error: HeadraceError, cause: Exception) -> HeadraceError:
    error.__cause__ = cause
    return error
