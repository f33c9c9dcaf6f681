"""When a timetable in cron's words is next due.

Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); `*`,
numbers, ranges `1-5`, steps `*/15`, lists `1,5`, and names (`mon`, `jan`). Where both days are
restricted, either will do, as in every cron.

When the clocks change, work at a fixed hour is done once: in an hour that is skipped by the clock
of before, in one that comes twice the first time. What is due every hour goes by the time that
passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Offset = Callable[[float], float]
"""Seconds by which the local clock is ahead of UTC at a moment in Unix time."""

MINUTE_S, DAY_S = 60, 86_400
THURSDAY = 4
"""Which day of the week 1970-01-01 was."""
LONGEST_DAYS = 8 * 366 + 31
"""No two 29ths of February lie farther apart."""
SHORTHANDS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
EVERY_HOUR = frozenset(range(24))


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may say."""

    name: str
    least: int
    most: int
    names: Sequence[str] = ()


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The minutes, hours, days and months in which it is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Both kinds of days are restricted, so that one of them is enough."""

    def has(self, day: int) -> bool:
        """Tell whether it is due on this day, counted from 1970-01-01."""
        month, number = _calendar(day)
        by_month, by_week = number in self.days, (day + THURSDAY) % 7 in self.weekdays
        is_day = by_month or by_week if self.either_day else by_month and by_week
        return is_day and month in self.months

    def after(self, wall_s: float) -> float:
        """Return the first due minute after this reading of the local clock."""
        today, earliest = divmod(int(wall_s // MINUTE_S) + 1, DAY_S // MINUTE_S)
        for day in range(today, today + LONGEST_DAYS):
            if not self.has(day):
                continue
            for minute in (60 * h + m for h in sorted(self.hours) for m in sorted(self.minutes)):
                if day > today or minute >= earliest:
                    return float(day * DAY_S + minute * MINUTE_S)
        raise ValueError("no such day ever comes")


def _calendar(day: int) -> tuple[int, int]:
    """Return month and day of the month, of a day counted from 1970-01-01.

    The year begins in March, so that the odd day is its last one:
    https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    """
    of_era = (day + 719_468) % 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return (month + 2) % 12 + 1, of_year - (153 * month + 2) // 5 + 1


def parse(text: str) -> Timetable:
    """Read a timetable. Raises ValueError with what is wrong."""
    words = SHORTHANDS.get(text.strip().lower(), text).split()
    if len(words) != len(FIELDS):
        raise ValueError(
            f"it has {len(words)} fields, not five: minute, hour, day of the month, month, day of "
            "the week, as in `30 4 * * mon-fri`"
        )
    minutes, hours, days, months, weekdays = (
        _read(word, field) for word, field in zip(words, FIELDS, strict=True)
    )
    both = not words[2].startswith("*") and not words[4].startswith("*")
    table = Timetable(
        minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either_day=both
    )
    table.after(0.0)  # a 30th of February is told now
    return table


def next_after(text: str, unix_s: float, offset_s: Offset) -> float:
    """Return the first moment after `unix_s` in which it is due. Raises ValueError."""
    table = parse(text)
    if table.hours == EVERY_HOUR:
        return _by_the_time_that_passes(table, unix_s, offset_s)
    wall, due = unix_s + offset_s(unix_s), unix_s
    while due <= unix_s:
        wall = table.after(wall)
        due = _moment(wall, offset_s)
    return due


def _moment(wall_s: float, offset_s: Offset) -> float:
    """Return when the local clock first shows this; if it never does, by the clock of before."""
    before, after = offset_s(wall_s - DAY_S), offset_s(wall_s + DAY_S)
    guesses = (wall_s - before, wall_s - after)
    return min((u for u in guesses if u + offset_s(u) == wall_s), default=guesses[0])


def _by_the_time_that_passes(table: Timetable, unix_s: float, offset_s: Offset) -> float:
    offset = offset_s(unix_s)
    due = table.after(unix_s + offset) - offset
    while offset_s(due) != offset:  # the clocks change before: look again from there
        low, high = unix_s, due
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_s(middle) == offset else (low, middle)
        unix_s, offset = high, offset_s(high)
        due = table.after(high - 1 + offset) - offset
    return due


def _read(word: str, field: Field) -> frozenset[int]:
    return frozenset(number for part in word.split(",") for number in _span(part, field))


def _span(part: str, field: Field) -> range:
    """Read `*`, `5`, `1-5`, each perhaps with a step `/2`."""
    where, slash, step = part.partition("/")
    first, dash, last = where.partition("-")
    if slash and (not step.isdecimal() or not int(step)):
        raise ValueError(f"{field.name} {part!r}: a step is a number from 1 on, as in */15")
    if where == "*":
        low, high = field.least, field.most
    else:
        low = _number(first, part, field)
        high = _number(last, part, field) if dash else (field.most if slash else low)
    if low > high:
        raise ValueError(f"{field.name} {part!r}: it ends before it begins")
    return range(low, high + 1, int(step) if slash else 1)


def _number(word: str, part: str, field: Field) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.least
    if word.isdecimal() and field.least <= int(word) <= field.most:
        return int(word)
    raise ValueError(f"{field.name} {part!r}: it is no number from {field.least} to {field.most}")
