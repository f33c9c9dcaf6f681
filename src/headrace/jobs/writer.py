"""Group commit: all that waits is one transaction, written to the disk once, then each is answered.

Nobody is told before it is written down. If a transaction comes to nothing, each of its deeds is
tried again alone: so one that there is no room for takes no other along.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from headrace.core.jobs import UnixS
from headrace.errors import HeadraceError
from headrace.interfaces import Change
from headrace.jobs.answers import Later, settled
from headrace.jobs.books import Books
from headrace.jobs.desk import Desk, Errand
from headrace.jobs.faults import log, told

FULL: Final = "FULL"  # on the disk when it is committed
NORMAL: Final = "NORMAL"  # with the next one that is: what power that fails then takes is redone
T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]


class Writer:
    """The one thread that writes."""

    def __init__(
        self,
        books: Books,
        clock: Callable[[], UnixS],
        heard: Callable[[Sequence[Change]], None],
        path: str,
    ) -> None:
        """Begin with `open`. `heard` is told of what changed, in the thread that writes."""
        self._books, self._clock, self._heard, self._path = books, clock, heard, path
        self._synchronous = FULL
        self._news: list[Change] = []
        """What changed and is written down, and was not told yet."""

    def at_once(self, deed: Callable[[], T]) -> T:
        """Do something before it is open, in this thread. Raises what went wrong, in our words."""
        try:
            ((value, refusal),) = self._together([Errand(deed, Later(), durable=True)])
        except Exception as error:
            raise told(error, self._path) from error
        if refusal is not None:
            raise refusal
        done: T = value
        return done

    def open(self) -> Desk:
        """Begin to serve."""
        return Desk("headrace-jobs-writer", self._serve)

    def _serve(self, group: Sequence[Errand]) -> None:
        outcomes: Sequence[Outcome]
        try:
            outcomes = self._together(group)
        except Exception as error:  # noqa: BLE001 - whoever waits for a deed of this group hears of it
            outcomes = [(None, told(error, self._path))] if len(group) == 1 else self._singly(group)
        self._tell()
        for errand in group:
            if errand.finally_ is not None:
                errand.finally_()
        settled((errand.answer, *outcome) for errand, outcome in zip(group, outcomes, strict=True))

    def _singly(self, group: Sequence[Errand]) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for errand in group:
            try:
                outcomes += self._together([errand])
            except Exception as error:  # noqa: BLE001 - as above
                outcomes.append((None, told(error, self._path)))
        return outcomes

    def _together(self, group: Sequence[Errand]) -> Sequence[Outcome]:
        """Do all of these in one transaction, or raise what made it come to nothing."""
        with self._transaction(FULL if any(errand.durable for errand in group) else NORMAL):
            return [self._done(errand) for errand in group]

    @contextlib.contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        connection = self._books.raw
        if synchronous != self._synchronous:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._books.now = self._clock()
            yield
            self._books.flush()
            loose = self._books.unreferred()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._books.recount()
            raise
        self._news += self._books.changes
        self._books.changes, self._books.loose, self._books.doubtful = [], set(), set()
        for name in loose:
            with contextlib.suppress(OSError):  # the next start looks again
                self._books.files.remove(name)

    def _done(self, errand: Errand) -> Outcome:
        """Do one deed; a refusal is an answer like any other, for it has written nothing."""
        before = self._books.raw.total_changes
        try:
            return errand.deed(), None
        except HeadraceError as refusal:
            if self._books.raw.total_changes != before:
                raise
            return None, refusal

    def _tell(self) -> None:
        news, self._news = self._news, []
        if not news:
            return
        try:
            self._heard(news)
        except Exception:  # noqa: BLE001 - what was written down stays so, and others wait for their answers
            log.exception("whoever listens to the jobs of %s raised", self._path)


def closed(connection: sqlite3.Connection) -> None:
    """Close a connection; the last one of a database puts its log away."""
    with contextlib.suppress(sqlite3.Error):  # on a full disk the log stays, and is read next time
        connection.close()
