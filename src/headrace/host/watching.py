"""Which files a program's code came from, and whether one of them has changed since."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path

LOOK_EVERY_S = 0.25
Mark = tuple[int, int, int]


def imported_files() -> list[str]:
    """Return the files of this process's modules that are the user's own work."""
    installed = (
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(__file__).parent.parent),
    )
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({file for file in files if file and not _is_below(file, installed)})


def contents_of(files: Iterable[str]) -> str:
    """Return in a few letters what files hold: two programs of the same code have the same."""
    told = blake2b(digest_size=16)
    for file in sorted(files):
        with contextlib.suppress(OSError):
            told.update(Path(file).read_bytes() + b"\0" + file.encode() + b"\0")
    return told.hexdigest()


def _is_below(file: str, folders: Iterable[str]) -> bool:
    parts = Path(file).parts
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return any(file.startswith(folder + os.sep) for folder in folders)


class Watched:
    """Files, and the Python files beside them: what a module imports next is likely there."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = set(files)
        self._marks = self._look()

    def follow(self, files: Iterable[str]) -> None:
        """Watch these too."""
        new = set(files) - self._files
        if new:
            self._files |= new
            for file, mark in self._look().items():
                self._marks.setdefault(file, mark)

    def changed(self) -> list[str]:
        """Return which are other than at the last call; one that vanished is on its way back."""
        now = self._look()
        changed = [file for file, mark in now.items() if self._marks.get(file) != mark]
        self._marks.update(now)
        return sorted(changed)

    def _look(self) -> dict[str, Mark]:
        marks: dict[str, Mark] = {}
        for folder in {os.path.dirname(file) for file in self._files}:  # noqa: PTH120 - as text
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".py") or entry.path in self._files:
                        with contextlib.suppress(OSError):
                            found = entry.stat()
                            marks[entry.path] = (found.st_mtime_ns, found.st_size, found.st_ino)
        return marks


async def watch(watched: Watched, tell: Callable[[list[str]], None]) -> None:
    """Tell what changed, once nothing more does: an editor writes several files at a stroke."""
    so_far: set[str] = set()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        changed = watched.changed()
        if so_far and not changed:
            tell(sorted(so_far))
            so_far.clear()
        so_far.update(changed)
