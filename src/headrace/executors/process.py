"""A replica in a process of its own: frames over a socket, claims over a shared page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from headrace.core.messages import ReplicaId, Serial, Why
from headrace.executors.lending import Lending
from headrace.executors.output import Lines
from headrace.interfaces import Capabilities, Inbox
from headrace.memory.arena import Arena
from headrace.model.envelope import Envelope, Part, Reply
from headrace.processes.birth import bear
from headrace.processes.watch import Watch, in_words, kill_group, why_it_ended
from headrace.replica.frames import (
    Answered,
    AnswerParts,
    Calls,
    Credit,
    Ended,
    Failed,
    Feed,
    Finished,
    Freed,
    GiveUpOn,
    Load,
    News,
    Order,
    Parts,
    Progress,
    Ready,
    Report,
    Returned,
    Splitter,
    TearDown,
    Trim,
    Word,
    pack,
    read_report,
)
from headrace.replica.page import TRUSTED
from headrace.replica.stopping import STACKS, STOP

EXIT_S = 1.0
"""How long a replica that closed its socket may take to exit, running user code's `atexit`."""
STACKS_S = 0.5
"""How long one that hangs may take to print its stacks."""


class ProcessReplica:
    """The worker's side of one replica process. See `interfaces.Replica` for its duties.

    Order of death, so that no finished answer is lost: the process has ended; what is still in the
    socket is read and reported; its process group is killed; then `gone`.
    """

    capabilities = Capabilities(interrupts=True, survives_crash=True)

    def __init__(
        self,
        load: Load,
        environment: Mapping[str, str],
        inbox: Inbox[Reply, Part, News],
        arena: Arena | None = None,
    ) -> None:
        """Start the process, from the event loop; `ready` or `gone` follows. Raises OSError."""
        self._id = ReplicaId(load.replica)
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        born = bear(environment, -1 if arena is None else arena.fd)
        self._lending = None if arena is None else self._lending_in(arena)
        self._process, self._sock, self._page = born.process, born.sock, born.page
        self._lines = Lines(born.output_fd, lambda line: inbox.said(self._id, line))
        self._watch = Watch(self._process, self._died)
        self._splitter = Splitter()
        region = 0 if self._lending is None else self._lending.region
        self._orders: list[Order] = [msgspec.structs.replace(load, region=region)]
        self._calls: list[tuple[int, list[Envelope]]] = []
        self._backlog = bytearray()
        self._recalled: set[int] = set()
        self._last_sent = 0
        self._was_ready = self._over = False
        self._sentence: Why | None = None
        self._exit_due: asyncio.TimerHandle | None = None
        self._was_useless = False
        self._words = ""
        self._loop.add_reader(self._sock, self._read)
        self.flush()

    def __repr__(self) -> str:
        state = "over" if self._over else "ready" if self._was_ready else "loading"
        return f"<ProcessReplica {self._id} pid={self.pid} {state}>"

    @property
    def id(self) -> ReplicaId:
        """See `interfaces.Replica`."""
        return self._id

    @property
    def pid(self) -> int:
        """See `interfaces.Replica`."""
        return self._process.pid

    # --- orders --------------------------------------------------------------------------

    def send(self, serial: Serial, envelopes: Sequence[Envelope]) -> None:
        """See `interfaces.Replica`."""
        if not self._calls:
            self._orders.append(Calls(self._calls))
        self._calls.append((serial, list(envelopes)))
        if self._lending is not None:
            self._lending.lend(envelopes)
        self._last_sent = serial

    def stop(self, serial: Serial, place: int) -> None:
        """See `interfaces.Replica`."""
        self._order(GiveUpOn(serial, place))

    def interrupt(self, serial: Serial) -> None:
        """See `interfaces.Replica`."""
        if not self._over and self._page.stop(serial):
            self._watch.send(STOP)

    def grant(self, serial: Serial, place: int, parts: int) -> None:
        """See `interfaces.Replica`."""
        self._order(Credit(serial, place, parts))

    def tell(self, word: Word) -> None:
        """See `interfaces.Replica`."""
        if isinstance(word, Answered | AnswerParts | Feed) and self._lending is not None:
            self._lending.lend_in(word)
        self._order(word)

    def evict(self) -> None:
        """See `interfaces.Replica`."""
        if not self._was_ready:
            self.kill()  # it has nothing to finish, and would read this order only after its setup
            return
        self._sentence = Why.ASKED
        self._order(TearDown())
        self.flush()

    def kill(self, why: Why = Why.ASKED, words: str = "") -> None:
        """See `interfaces.Replica`."""
        self._sentence, self._words = why, self._words or words
        if not self._over:
            kill_group(self._process)

    def abort(self) -> None:
        """See `interfaces.Replica`."""
        self._sentence = Why.ASKED
        if self._over or self._exit_due is not None:
            return
        self._inbox.said(self._id, "hangs in a call that nobody waits for, and is ended here:")
        self._watch.send(STACKS)
        self._exit_due = self._loop.call_later(STACKS_S, kill_group, self._process)

    def recall(self, serial: Serial) -> Serial | None:
        """See `interfaces.Replica`."""
        if self._over:
            return None
        first = self._page.recall(serial)
        self._recalled = set(range(first, self._last_sent + 1))
        self._lift_if_all_came_back()
        return Serial(first) if TRUSTED else None

    def flush(self) -> None:
        """See `interfaces.Replica`."""
        if not self._orders or self._over:
            return
        frame = pack(self._orders[0])
        for order in self._orders[1:]:
            frame += pack(order)
        self._orders.clear()
        self._calls = []
        if self._backlog:
            self._backlog += frame
        else:
            self._write(frame)

    def _order(self, order: Order) -> None:
        self._orders.append(order)
        self._calls = []

    def _lending_in(self, arena: Arena) -> Lending:
        def send(order: Order) -> None:
            self._order(order)
            self.flush()

        return Lending(arena, free=lambda places: send(Freed(places)), trim=lambda: send(Trim()))

    def _write(self, frame: bytearray) -> None:
        try:
            sent = self._sock.send(frame)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            return  # it is dying: its calls are dealt with when it is gone
        if sent < len(frame):
            self._backlog = frame[sent:]
            self._loop.add_writer(self._sock, self._write_backlog)

    def _write_backlog(self) -> None:
        try:
            del self._backlog[: self._sock.send(self._backlog)]
        except BlockingIOError:
            return
        except ConnectionError:
            self._backlog.clear()
        if not self._backlog:
            self._loop.remove_writer(self._sock)

    # --- reports -------------------------------------------------------------------------

    def _read(self) -> bool:
        """Read once; tell if there may be more."""
        try:
            records = self._splitter.read(self._sock)
        except BlockingIOError:
            return False
        except ConnectionError:
            records = None
        if records is None:
            self._stream_ended()
            return False
        for record in records:
            self._hear(read_report(record))
        return True

    def _hear(self, report: Report) -> None:
        match report:
            case Finished(serial, took_s, replies):
                self._came_back(serial)
                self._inbox.finished(self._id, Serial(serial), took_s, replies)
            case Returned(serial):
                self._came_back(serial)  # lifted before the engine sends the next call
                self._inbox.returned(self._id, Serial(serial))
            case Ready():
                self._was_ready = True
                self._inbox.ready(self._id)
            case Freed(places):
                if self._lending is not None:
                    self._lending.came_back(places)
            case _:
                self._hear_the_rest(report)

    def _hear_the_rest(self, report: Parts | Ended | Progress | Failed | News) -> None:
        match report:
            case Parts(serial, parts):
                self._inbox.parts(self._id, Serial(serial), parts)
            case Ended(serial, place, reply):
                self._inbox.ended_one(self._id, Serial(serial), place, reply)
            case Progress(done, total, what):
                self._inbox.progress(self._id, done, total, what)
            case Failed(message, traceback):
                self._words = f"{message}\n{traceback}"
            case _:
                self._inbox.told(self._id, report)

    def _stream_ended(self) -> None:
        """Expect its exit: a process closes its socket a little before it ends."""
        self._loop.remove_reader(self._sock)
        if self._exit_due is None and self._sentence is None:
            self._exit_due = self._loop.call_later(EXIT_S, self._end_the_useless)

    def _came_back(self, serial: int) -> None:
        if self._recalled:
            self._recalled.discard(serial)
            self._lift_if_all_came_back()

    def _lift_if_all_came_back(self) -> None:
        if not self._recalled:
            self._page.lift()

    def _died(self) -> None:
        while self._read():
            pass
        if self._exit_due is not None:
            self._exit_due.cancel()
        kill_group(self._process)
        returncode = self._process.wait()
        self._over = True
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        self._lines.close()
        claimed = Serial(self._page.claimed)
        self._page.close()
        if self._lending is not None:
            self._lending.close()
        # They refer to us: the circle would keep our buffers until the collector comes by.
        self._lending = None
        del self._watch, self._lines
        words = self._words or in_words(returncode)
        self._inbox.gone(self._id, self._why(returncode), claimed, words)

    def _end_the_useless(self) -> None:
        """It closed its socket and lives on: nobody can reach it any more."""
        self._was_useless = True
        kill_group(self._process)

    def _why(self, returncode: int) -> Why:
        if self._sentence is not None:
            return self._sentence
        if not self._was_ready:
            return Why.SETUP
        return Why.CRASHED if self._was_useless else why_it_ended(returncode)
