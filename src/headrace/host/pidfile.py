"""The pidfile: locked for the server's life, so that a stale one is never believed.

Beside it stands what the server's commands want to know of it, `PIDFILE.json`: its URL, and how its
last reload went.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

import msgspec
from msgspec import Struct

from headrace.errors import ConfigError

TRIES = 5


class Known(Struct, frozen=True):
    """What a server tells its commands."""

    url: str = ""
    reloads: int = 0
    """How many have ended, well or not."""
    fault: str = ""
    """Why the last one changed nothing; empty if it did."""


class PidFile:
    """A file that holds our process id, for as long as we hold its lock."""

    def __init__(self, path: str) -> None:
        """Create or take over the file. Raises ConfigError if another server holds it."""
        self._path = Path(path).absolute()
        self._fd = _locked(self._path)
        self._known_fd = os.open(
            _beside(self._path),
            os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o644,
        )
        self.known = Known()

    def write(self, pid: int) -> None:
        """Name the process that is the server."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % pid, 0)

    def tell(self, known: Known) -> None:
        """Tell the server's commands."""
        self.known = known
        told = msgspec.json.encode(known)
        os.pwrite(self._known_fd, told.ljust(os.fstat(self._known_fd).st_size), 0)

    def close(self) -> None:
        """Remove the files, where that is still allowed; else leave them empty."""
        for path, fd in ((_beside(self._path), self._known_fd), (self._path, self._fd)):
            with contextlib.suppress(OSError):
                os.ftruncate(fd, 0)
                path.unlink()
            os.close(fd)


def _locked(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(TRIES):
        try:
            fd = os.open(path, flags, 0o644)
        except OSError as error:
            raise ConfigError(_in_words(path, error)) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise ConfigError(
                f"a server runs already by the pidfile {path} (process {pid}); "
                f"stop it: headrace stop --pidfile {path}"
            ) from None
        if _is_at(fd, path):  # else its last owner removed it between our two steps
            return fd
        os.close(fd)
    raise ConfigError(f"the pidfile {path} is removed as often as it is made; who does that?")


def _is_at(fd: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino) and stat.S_ISREG(here.st_mode)


def _in_words(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"the pidfile's folder is not there; make it: mkdir -p {path.parent}"
    if path.is_symlink():
        return f"the pidfile {path} is a symbolic link, which could lead anywhere; remove it"
    return f"cannot write the pidfile {path}: {error.strerror}"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def holder(path: str) -> int:
    """Return the process that holds a pidfile; 0 if none does: it is not there, or stale."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ConfigError(f"cannot read the pidfile {path}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(fd, 32, 0).strip()
        return int(said) if said.isdigit() else 0
    finally:
        os.close(fd)
    return 0


def known_of(path: str) -> Known:
    """Return what the server that holds a pidfile tells its commands."""
    try:
        return msgspec.json.decode(_beside(Path(path).absolute()).read_bytes(), type=Known)
    except (OSError, msgspec.DecodeError):  # not written yet
        return Known()
