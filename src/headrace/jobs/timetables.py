"""Jobs that come back by a timetable: which there are, and the turn of each that is due."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from headrace.core import schedules
from headrace.core.jobs import NEVER, Status, Terms, UnixS, check_terms
from headrace.core.schedules import Schedule
from headrace.errors import ConfigError, HeadraceError
from headrace.interfaces import Content as Given
from headrace.interfaces import Submission, Timed
from headrace.jobs.books import Books
from headrace.jobs.fresh import Content

log = logging.getLogger("headrace.jobs")
AGAIN_S = 60.0
"""When a timetable is looked at again whose job was refused."""


def schedule(books: Books, timed: Sequence[Timed]) -> None:
    """Make these the timetables, and no others; one that is as it was goes on as it did."""
    asked = "SELECT name, cron, next_due FROM schedules"
    known = {name: (cron, due) for name, cron, due in books.connection.execute(asked)}
    planned = [_planned(books, each, known.get(each.name)) for each in timed]
    kept = {each.name for each in timed}
    for name in known:
        if name not in kept:
            books.connection.execute("DELETE FROM schedules WHERE name = ?", (name,))
    for row in planned:
        books.connection.execute(
            "INSERT INTO schedules (name, cron, next_due, overlaps, endpoint, terms, fingerprint,"
            " head, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
            " ON CONFLICT (name) DO UPDATE SET cron = ?2, next_due = ?3,"
            " overlaps = ?4, endpoint = ?5, terms = ?6, fingerprint = ?7, head = ?8, data = ?9",
            row,
        )


def _planned(books: Books, timed: Timed, known: tuple[str, UnixS] | None) -> tuple[Any, ...]:
    asked, name = timed.submission, timed.name
    check_terms(asked.terms)
    try:
        plan = schedules.planned(
            name, timed.cron, books.now, books.policy.offset_s, overlaps=timed.overlaps
        )
    except ValueError as error:
        raise ConfigError(f"the timetable {timed.cron!r} of {name} is none: {error}") from error
    next_due = known[1] if known is not None and known[0] == timed.cron else plan.next_due
    terms = msgspec.json.encode(_finite(asdict(asked.terms)))
    given = asked.content
    return (
        name,
        timed.cron,
        next_due,
        timed.overlaps,
        asked.endpoint,
        terms,
        asked.fingerprint,
        given.head,
        given.data,
    )


def _finite(terms: dict[str, Any]) -> dict[str, Any]:
    """Leave out what JSON has no number for: without it, it is what it is by default."""
    return {name: value for name, value in terms.items() if value != NEVER}


def follow(books: Books) -> int:
    """Submit what is due; return how many jobs that made."""
    asked = (
        "SELECT schedules.name, cron, next_due, overlaps, latest, schedules.endpoint, terms,"
        " schedules.fingerprint, head, data, jobs.status FROM schedules"
        " LEFT JOIN jobs ON jobs.number = latest WHERE next_due <= ?"
    )
    return sum(
        _take_turn(books, row) for row in books.connection.execute(asked, (books.now,)).fetchall()
    )


def _take_turn(books: Books, row: tuple[Any, ...]) -> bool:
    """Submit the job of one timetable, or leave this turn out; return whether there is a job."""
    name, cron, next_due, overlaps, latest, endpoint, terms, fingerprint, head, data, status = row
    known = Schedule(name, cron, next_due, bool(overlaps))
    forerunner = None if status is None else Status(status)
    turn = schedules.came_due(known, forerunner, books.now, books.policy.offset_s)
    next_due = turn.schedule.next_due
    if turn.job is not None:
        given = Given(head, data)
        wanted = Submission(
            endpoint, given, fingerprint, terms=msgspec.json.decode(terms, type=Terms), id=turn.job
        )
        try:
            receipt = books.submit(wanted, Content(head, len(data), data))
        except HeadraceError as error:
            log.warning("the job of timetable %s was not submitted: %s", name, error)
            next_due = UnixS(books.now + AGAIN_S)
        else:
            latest = receipt.job.number
    books.connection.execute(
        "UPDATE schedules SET next_due = ?, latest = ? WHERE name = ?", (next_due, latest, name)
    )
    return turn.job is not None
