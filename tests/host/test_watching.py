"""Which files of a program have changed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import headrace
from headrace.host.watching import Watched, imported_files, watch
from tests.support import waiting


def test_own_files_are_those_that_nobody_installed() -> None:
    files = imported_files()
    assert __file__ in files
    assert waiting.__file__ in files
    assert headrace.__file__ not in files
    assert not any("site-packages" in file for file in files)
    assert os.__file__ not in files


def test_a_change_is_told_once(tmp_path: Path) -> None:
    app, words = tmp_path / "app.py", tmp_path / "words.txt"
    app.write_text("one")
    words.write_text("one")
    watched = Watched([str(app), str(words)])
    assert watched.changed() == []
    app.write_text("three")
    words.write_text("three")
    assert watched.changed() == [str(app), str(words)]
    assert watched.changed() == []


def test_what_is_new_beside_it_counts_and_what_vanishes_does_not(tmp_path: Path) -> None:
    app, new, note = (tmp_path / name for name in ("app.py", "new.py", "note.txt"))
    app.write_text("one")
    watched = Watched([str(app)])
    new.write_text("x = 1")
    note.write_text("not Python")
    assert watched.changed() == [str(new)]
    app.rename(tmp_path / "app.py~")
    assert watched.changed() == []
    (tmp_path / "app.py~").rename(app)
    assert watched.changed() == []  # it is the same file again
    assert Watched([str(tmp_path / "gone" / "app.py")]).changed() == []


def test_files_that_are_heard_of_later_are_no_change(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "late.py"
    other.write_text("one")
    watched = Watched([str(tmp_path / "app.py")])
    watched.follow([str(other)])
    assert watched.changed() == []
    other.write_text("three")
    assert watched.changed() == [str(other)]


def test_several_files_at_a_stroke_are_told_together(tmp_path: Path) -> None:
    async def look() -> list[list[str]]:
        told: list[list[str]] = []
        first, second = tmp_path / "a.py", tmp_path / "b.py"
        first.write_text("1")
        watched = Watched([str(first)])
        over = asyncio.Event()

        def tell(files: list[str]) -> None:
            told.append(files)
            over.set()

        watching = asyncio.create_task(watch(watched, tell))
        first.write_text("22")
        second.write_text("22")
        await asyncio.wait_for(over.wait(), 10)
        watching.cancel()
        return told

    (told,) = asyncio.run(look())
    assert told == [str(tmp_path / "a.py"), str(tmp_path / "b.py")]
