"""Large contents as files beside the database, each under the SHA-256 of its bytes.

A file is whole or not there: it is written under a name of its own, synced, renamed, and its folder
synced, before the database hears of it. One that is written and not yet referred to is *pinned*, so
that no sweep takes it for an orphan. Files whose writer was killed are found at the next start.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from headrace.errors import ConfigError, ResultGone

FOLDER_MODE, FILE_MODE = 0o700, 0o600
UNFINISHED = ".part"
BLOCK_BYTES = 8 << 20


class Files:
    """The folder of one store; its methods may be called in any thread."""

    def __init__(self, folder: Path) -> None:
        """Make the folder. Raises ConfigError."""
        self.folder = folder
        self._pins: Counter[str] = Counter()
        self._door = threading.Lock()
        try:
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make the jobs' folder {folder}: {error.strerror}") from error

    def keep(self, data: bytes | memoryview) -> str:
        """Write the bytes down for good, once; return their name, which is pinned."""
        name = hashlib.sha256(data).hexdigest()
        path = self.path(name)
        with self._door:
            self._pins[name] += 1
        try:
            if not self._is_whole(path, len(data)):
                self._write(path, data)
        except BaseException:
            self.unpin(name)
            raise
        return name

    def unpin(self, name: str) -> None:
        """Say that the database refers to it by now, or never will."""
        with self._door:
            self._pins[name] -= 1
            if not self._pins[name]:
                del self._pins[name]

    def remove(self, name: str) -> None:
        """Remove a file nobody refers to, unless somebody is about to."""
        with self._door:
            if name not in self._pins:
                self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return where a file lies: a folder of all would grow too large."""
        return self.folder / name[:2] / name

    def names(self) -> Iterator[str]:
        """Name every file that is there, after the rests of writers who were killed are removed."""
        for path in self.folder.glob("*/*"):
            if path.suffix == UNFINISHED:
                path.unlink(missing_ok=True)
            else:
                yield path.name

    @staticmethod
    def read(path: Path) -> bytes:
        """Return a file's bytes, compared with its name. Raises ResultGone if it is not there."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ResultGone("it was kept as long as it was to be, and is removed") from None
        if hashlib.sha256(data).hexdigest() != path.name:
            raise OSError(f"{path} is damaged: its bytes are not those that were written")
        return data

    @staticmethod
    def _is_whole(path: Path, size_bytes: int) -> bool:
        try:
            return path.stat().st_size == size_bytes
        except FileNotFoundError:
            return False

    def _write(self, path: Path, data: bytes | memoryview) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            _sync_folder(self.folder)
        unfinished = path.with_name(f"{path.name}.{threading.get_ident()}{UNFINISHED}")
        try:
            _write_synced(unfinished, data)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _write_synced(path: Path, data: bytes | memoryview) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(path, flags, FILE_MODE)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left[:BLOCK_BYTES]) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
