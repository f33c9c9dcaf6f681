"""A model whose streams hang between two items, in Python code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import headrace as hr

HANGS_S = 30.0


class Dawdling(hr.Model):
    """Tells some items, then hangs as it is asked to; files tell how far it is."""

    def predict(self, how: str, items: int, folder: str, every_s: float = 0.0) -> Iterator[str]:
        """Give so many items; hang."""
        try:
            for _ in range(items):
                time.sleep(every_s)
                yield "item "
            if how != "no":
                self.hang(how, Path(folder))
        finally:
            if folder:
                (Path(folder) / "closed").touch()

    def hang(self, how: str, folder: Path) -> None:
        """Wait or compute for long."""
        (folder / "hangs").touch()
        if how == "sleep":
            time.sleep(HANGS_S)
        end = time.monotonic() + HANGS_S
        while time.monotonic() < end:
            pass
