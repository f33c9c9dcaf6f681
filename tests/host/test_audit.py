"""The audit's records: one line each, of whom and why, and never in the way."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from headrace.core.draining import Tally
from headrace.host.audit import Asker, Audit

CLIENT = Asker("api", "127.0.0.1:5", key="0123abcd", request_id="r1")


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_first_who_asks_is_named_and_the_second_hurries(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    audit = Audit(str(path))
    audit.refused(CLIENT, "key", 401)
    audit.asked(CLIENT, 30.0)
    audit.asked(Asker("signal", "sh", pid=7, signal="SIGTERM"), 0.0)
    audit.stopped(Tally(3, 2, 1), 0)
    audit.stopped(Tally(9, 9, 9), 1)  # it ends once
    refused, asked, stop = records(path)
    assert (refused["event"], refused["reason"], refused["status"]) == ("refused", "key", 401)
    assert (asked["event"], asked["grace_s"], asked["hurries"]) == ("asked", 30.0, False)
    assert (stop["event"], stop["who"], stop["hurried"]) == ("stop", "127.0.0.1:5", True)
    assert (stop["in_flight"], stop["finished"], stop["cut"], stop["exit_code"]) == (3, 2, 1, 0)
    assert audit.report == stop
    assert "pid" not in asked  # what is not known is not told


def test_a_file_that_cannot_be_written_is_told_and_stops_no_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("headrace"), "propagate", True)
    audit = Audit(str(tmp_path))  # a folder
    audit.failed_to_start()
    audit.stopped(Tally(), 3)
    assert audit.report is not None
    assert audit.report["why"] == "failed_start"
    assert "cannot be written" in caplog.text


def test_records_are_logged_whatever_the_level(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = logging.getLogger("headrace")
    monkeypatch.setattr(ours, "propagate", True)
    before = ours.level
    ours.setLevel(logging.ERROR)
    try:
        Audit().worker_ended({"why": "crash", "worker": 1}, None, 0.0)
    finally:
        ours.setLevel(before)
    (record,) = caplog.records
    assert record.name == "headrace.audit"
    assert json.loads(record.message)["in_flight"] is None
