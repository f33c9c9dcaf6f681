"""Timetables: what they say, when they are due, and what the change of the clocks does to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.cron import _calendar, next_after, parse

UTC, BERLIN, KATHMANDU = "UTC", "Europe/Berlin", "Asia/Kathmandu"


def offset_in(zone: str) -> Callable[[float], float]:
    """What the local clock of a zone is ahead by."""

    def offset_s(unix_s: float) -> float:
        ahead = datetime.fromtimestamp(unix_s, ZoneInfo(zone)).utcoffset()
        assert ahead is not None
        return ahead.total_seconds()

    return offset_s


def day_of(there: datetime) -> int:
    return there.date().toordinal() - date(1970, 1, 1).toordinal()


def due(text: str, now: str, zone: str = UTC) -> str:
    """The next time on that zone's clock, with its offset."""
    there = datetime.fromisoformat(now)
    if there.tzinfo is None:
        there = there.replace(tzinfo=ZoneInfo(zone))
    found = next_after(text, there.timestamp(), offset_in(zone))
    return datetime.fromtimestamp(found, ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M %z")


DUE = {
    ("0 4 * * *", "2026-03-01 03:59:59"): "Sun 2026-03-01 04:00 +0000",
    ("0 4 * * *", "2026-03-01 04:00:00"): "Mon 2026-03-02 04:00 +0000",
    ("*/15 * * * *", "2026-12-31 23:46"): "Fri 2027-01-01 00:00 +0000",
    ("5,35 8-9 * * *", "2026-03-01 08:20"): "Sun 2026-03-01 08:35 +0000",
    ("10/20 6 * * *", "2026-03-01 06:31"): "Sun 2026-03-01 06:50 +0000",
    ("0 0 * * mon-fri", "2026-03-06 12:00"): "Mon 2026-03-09 00:00 +0000",
    ("0 0 * * 7", "2026-03-06 12:00"): "Sun 2026-03-08 00:00 +0000",
    ("0 0 * * 0", "2026-03-06 12:00"): "Sun 2026-03-08 00:00 +0000",
    ("0 0 * * 5-7", "2026-03-07 12:00"): "Sun 2026-03-08 00:00 +0000",
    ("0 0 31 * *", "2026-04-01 00:00"): "Sun 2026-05-31 00:00 +0000",
    ("0 0 1 JAN,jul *", "2026-02-01 00:00"): "Wed 2026-07-01 00:00 +0000",
    ("0 0 13 * fri", "2026-03-02 00:00"): "Fri 2026-03-06 00:00 +0000",
    ("0 0 13 * fri", "2026-04-12 00:00"): "Mon 2026-04-13 00:00 +0000",
    ("0 0 29 2 *", "2096-03-01 00:00"): "Fri 2104-02-29 00:00 +0000",
    ("@daily", "2026-03-01 10:00"): "Mon 2026-03-02 00:00 +0000",
    ("@weekly", "2026-03-02 10:00"): "Sun 2026-03-08 00:00 +0000",
}


@pytest.mark.parametrize("asked", DUE)
def test_it_is_due_at_the_next_time_that_its_words_allow(asked: tuple[str, str]) -> None:
    assert due(*asked) == DUE[asked]


CHANGES = {
    # 2026-03-29 02:00 +0100 is followed by 03:00 +0200
    ("30 2 * * *", "2026-03-29 01:00"): "Sun 2026-03-29 03:30 +0200",
    ("30 2 * * *", "2026-03-29 03:30+02:00"): "Mon 2026-03-30 02:30 +0200",
    ("30 * * * *", "2026-03-29 01:30"): "Sun 2026-03-29 03:30 +0200",
    ("0 * * * *", "2026-03-29 01:30"): "Sun 2026-03-29 03:00 +0200",
    ("0 5 * * *", "2026-03-28 05:00"): "Sun 2026-03-29 05:00 +0200",
    # 2026-10-25 03:00 +0200 is followed by 02:00 +0100
    ("30 2 * * *", "2026-10-25 01:00"): "Sun 2026-10-25 02:30 +0200",
    ("30 2 * * *", "2026-10-25 02:30+02:00"): "Mon 2026-10-26 02:30 +0100",
    ("45 2 * * *", "2026-10-25 02:40+01:00"): "Mon 2026-10-26 02:45 +0100",
    ("*/30 * * * *", "2026-10-25 02:30+02:00"): "Sun 2026-10-25 02:00 +0100",
    ("0 12 * * *", "2026-10-24 12:00"): "Sun 2026-10-25 12:00 +0100",
    ("@hourly", "2026-10-25 02:00+01:00"): "Sun 2026-10-25 03:00 +0100",
}


@pytest.mark.parametrize("asked", CHANGES)
def test_when_the_clocks_change_a_fixed_hour_counts_once(asked: tuple[str, str]) -> None:
    assert due(*asked, zone=BERLIN) == CHANGES[asked]


BAD = {
    "": "0 fields",
    "* * * *": "4 fields",
    "60 * * * *": "minute '60'",
    "* 24 * * *": "hour '24'",
    "* * 0 * *": "day of the month '0'",
    "* * * 13 *": "month '13'",
    "* * * * 8": "day of the week '8'",
    "* * * * someday": "day of the week 'someday'",
    "*/0 * * * *": "step",
    "*/x * * * *": "step",
    "9-5 * * * *": "ends before it begins",
    "1,,2 * * * *": "minute ''",
    "-1 * * * *": "minute '-1'",
    "0 0 30 2 *": "no such day",
    "@noon": "1 fields",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_timetable_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=BAD[text]):
        parse(text)


MOMENTS = st.integers(1_700_000_000, 1_900_000_000)
TEXTS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "0 */3 * * *", "30 2 * * sun", "15 1-3 25-31 3,10 *", "@monthly"]
)


@given(TEXTS, MOMENTS, st.sampled_from([UTC, BERLIN, KATHMANDU]))
def test_it_is_later_whole_minutes_and_shows_its_words(text: str, now: int, zone: str) -> None:
    found = next_after(text, now, offset_in(zone))
    there = datetime.fromtimestamp(found, ZoneInfo(zone))
    table = parse(text)
    assert found > now
    assert there.second == 0
    assert there.minute in table.minutes
    assert there.fold or table.has(day_of(there))


@given(st.sampled_from(["* * * * *", "*/7 * * * *", "0 * * * mon"]), MOMENTS)
def test_what_is_due_every_hour_is_never_skipped(text: str, now: int) -> None:
    """From one look to the next, no minute that the clock shows is passed over."""
    offset_s, table = offset_in(BERLIN), parse(text)
    found = next_after(text, now, offset_s)
    minute = now // 60 * 60 + 60
    for unix_s in range(minute, min(int(found), minute + 10_000), 60):
        there = datetime.fromtimestamp(unix_s, ZoneInfo(BERLIN))
        assert not (there.minute in table.minutes and table.has(day_of(there))), there


def test_its_calendar_is_the_common_one() -> None:
    for day in range(-1000, 60_000):
        there = date(1970, 1, 1) + timedelta(day)
        assert _calendar(day) == (there.month, there.day)
