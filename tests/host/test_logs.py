"""The error log: only our own lines begin at its margin."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from headrace.host import logs


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[logging.Logger]:
    names = [logging.getLogger(name) for name in logs.NAMES]
    kept = [(logger, list(logger.handlers), logger.propagate, logger.level) for logger in names]
    logs.log_to_stderr("info", path)
    try:
        yield logging.getLogger("headrace.test")
    finally:
        for logger, handlers, propagate, level in kept:
            for handler in [each for each in logger.handlers if each not in handlers]:
                logger.removeHandler(handler)
                handler.close()
            logger.propagate, logger.level = propagate, level


def test_a_message_cannot_forge_a_line(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    with logging_to(path) as log:
        log.warning("path %s", "/x\n12:00:00 ERROR forged\r\x1b[2Jgone\u2028end")
    first, second, *others = path.read_text().split("\n")
    assert "WARNING path /x" in first
    assert second == "    12:00:00 ERROR forged\\x0d\\x1b[2Jgone\\u2028end"
    assert others == [""]


def test_a_traceback_is_whole_and_indented(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    with logging_to(path) as log:
        try:
            int("first\nERROR second")
        except ValueError:
            log.exception("it failed")
    head, *others = path.read_text().rstrip("\n").split("\n")
    assert head.endswith("ERROR   it failed")
    assert others[0] == "    Traceback (most recent call last):"
    assert others[-1] == others[-1]
    assert all(line.startswith("    ") for line in others)


def test_levels_are_kept_and_a_reopened_log_goes_on_in_a_new_file(tmp_path: Path) -> None:
    path, old = tmp_path / "error.log", tmp_path / "error.log.1"
    with logging_to(path) as log:
        log.debug("not worth a line")
        log.info("before")
        path.rename(old)
        logs.reopen()
        log.info("after")
        logs.Complaints().write("a complaint\n")
    assert "before" in old.read_text()
    assert "not worth" not in old.read_text()
    assert "after" in path.read_text()
    assert path.read_text().endswith("a complaint\n")
