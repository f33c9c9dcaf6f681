"""A job in words: short, true, and never wider than the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.client.records import JobRecord
from headrace.client.telling import HEAD, Display, bar, far, row, rows, span, told, words
from headrace.core.jobs import Status
from headrace.interfaces import Progress

NOW = 1_000.0


def record(**fields: Any) -> JobRecord:
    base = {
        "id": "j",
        "status": Status.RUNNING,
        "endpoint": "/p",
        "attempt": 1,
        "created_at": 900.0,
    }
    return JobRecord(**{**base, "started_at": 990.0, **fields})


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (3_661, "1 h 1 min"),
        (200_000, "2 d"),
    ],
)
def test_a_time_is_told_in_units_of_its_size(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(3, 10, "third"), "3 of 10 (30%) third"),
        (Progress(3, 10), "3 of 10 (30%)"),
        (Progress(3, 0), "3"),
        (Progress(12, 10), "12 of 10 (100%)"),
    ],
)
def test_progress_is_told_as_far_as_it_is_known(progress: Progress, said: str) -> None:
    assert far(progress) == said


def test_the_words_tell_what_matters_now() -> None:
    queued = record(status=Status.QUEUED, position=3, started_at=None, attempt=0)
    assert words(queued) == "job j, queued, 3 before it"
    again = record(attempt=2, progress=Progress(1, 4, "x"))
    assert words(again) == "job j, running, attempt 2, 1 of 4 (25%) x"
    failed = record(status=Status.FAILED, error={"detail": "no luck"})
    assert words(failed) == "job j, failed, no luck"


def test_the_bar_grows_and_ends_full() -> None:
    half = bar(record(progress=Progress(5, 10, "half")), 60, lambda: NOW)
    assert half == "[####################--------------------]  50%  5/10  10 s  half"[:59] + "…"
    wide = bar(record(progress=Progress(5, 10, "half")), 100, lambda: NOW)
    assert wide == "[####################--------------------]  50%  5/10  10 s  half"
    done = record(status=Status.SUCCEEDED, ended_at=995.0, progress=Progress(9, 10))
    assert bar(done, 100, lambda: NOW).startswith(f"[{'#' * 40}] 100%  9/10  5.0 s  succeeded")
    assert bar(record(), 100, lambda: NOW) == "job j, running  10 s"


@given(
    st.integers(5, 200),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
    st.text(max_size=40),
    st.sampled_from(Status),
)
def test_no_line_is_wider_than_the_terminal_or_breaks_it(
    width: int, done: float, total: float, note: str, status: Status
) -> None:
    line = bar(record(status=status, progress=Progress(done, total, note)), width, lambda: NOW)
    assert len(line) <= width
    assert line.isprintable()


def test_a_table_has_its_columns_and_a_page_its_facts() -> None:
    lines = list(rows([HEAD, row(record(), lambda: NOW), row(record(id="longer"), lambda: NOW)]))
    assert {line.index("/p") for line in lines[1:]} == {lines[0].index("ROUTE")}
    page = told(record(error={"status": 500, "detail": "it broke"}, progress=Progress(1, 2)))
    assert "error     500 it broke" in page
    assert "progress  1 of 2 (50%)" in page


def test_a_log_has_a_line_for_each_change_and_a_terminal_one_that_moves() -> None:
    log, terminal, silent = io.StringIO(), io.StringIO(), io.StringIO()
    displays = [
        Display(log, is_live=False),
        Display(terminal, is_live=True),
        Display(silent, is_live=True, is_silent=True),
    ]
    for display in displays:
        for done in (1, 1, 2):
            display.show(record(progress=Progress(done, 2)))
        display.close()
    assert log.getvalue().splitlines() == [
        "job j, running, 1 of 2 (50%)",
        "job j, running, 2 of 2 (100%)",
    ]
    assert terminal.getvalue().count("\r\x1b[2K") == 3
    assert terminal.getvalue().endswith("\n")
    assert silent.getvalue() == ""
