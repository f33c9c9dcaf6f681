"""The socket of an async replica, on its event loop: orders in, reports out."""

from __future__ import annotations

import asyncio
from functools import partial

from headrace.model.envelope import Envelope
from headrace.model.handle import use_line
from headrace.model.progress import use_progress
from headrace.replica.care import CareOnLoop
from headrace.replica.delivery import Frames
from headrace.replica.end import End
from headrace.replica.frames import (
    Answered,
    AnswerParts,
    Calls,
    Credit,
    Freed,
    GiveUpOn,
    Load,
    News,
    Order,
    Returned,
    TearDown,
    Trim,
    pack,
    read_order,
)
from headrace.replica.lines import LoopLine
from headrace.replica.plans import AnyPlan, running
from headrace.replica.progressing import Progressing
from headrace.replica.reading import WorkerGone
from headrace.replica.validating import answer_validate


def new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop where it is installed, else asyncio's."""
    try:
        import uvloop  # noqa: PLC0415 - optional, and only async replicas need a loop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class AsyncEnd:
    """Reads orders as they come; reports of one turn leave in one write."""

    def __init__(
        self, plan: AnyPlan, model: object, end: End, health_timeout_s: float | None = None
    ) -> None:
        """Take over the socket; nothing happens before `serve`."""
        self._sock, self._page, self._splitter = end.sock, end.page, end.splitter
        self._bodies, self._words = end.bodies, end.words
        self._batched = getattr(plan, "batched", False)
        frames = Frames(end.bodies, self._say)
        self._tasks = running(plan, model, frames, self._tell, end.words)
        self._care = CareOnLoop(plan, model, end.words, self._tell, health_timeout_s)
        answer_validate(plan, end.words, self._tell)
        self._outbox = bytearray()
        self._writing = False
        self._over: asyncio.Future[bool] | None = None

    async def serve(self) -> None:
        """Serve until told to tear down. Raises WorkerGone at the end of the stream."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        self._sock.settimeout(0)
        self._open_line(loop)
        loop.add_reader(self._sock, self._read)
        self._bodies.wake = partial(loop.call_soon_threadsafe, self._say, bytearray())
        try:
            politely = await self._over
            if not politely:
                self._tasks.cancel_all()
            await self._tasks.all_ended()
        finally:
            await self._care.close()
            self._bodies.wake = None
            loop.remove_reader(self._sock)
            loop.remove_writer(self._sock)
            self._sock.settimeout(None)
        if not politely:
            raise WorkerGone
        self._sock.sendall(self._outbox)

    def _open_line(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let user code ask other deployments from now on."""
        line = LoopLine(loop, self._tell, self._bodies.lend, batched=self._batched)
        self._words.give(Answered, line.hear)
        self._words.give(AnswerParts, line.hear)
        use_line(line)
        progressing = Progressing(line.tell, line.later)
        self._bodies.ahead = progressing.frames
        use_progress(progressing.told)

    def _read(self) -> None:
        try:
            records = self._splitter.read(self._sock)
        except BlockingIOError:
            return
        except ConnectionError:
            records = None
        if records is None:
            self._end(politely=False)
            return
        for record in records:
            self._obey(read_order(record))

    def _obey(self, order: Order) -> None:
        match order:
            case Calls(calls):
                self._begin(calls)
            case GiveUpOn(serial, place):
                self._tasks.give_up_on(serial, place)
            case Credit(serial, place, parts):
                self._tasks.grant(serial, place, parts)
            case TearDown():
                self._end(politely=True)
            case Freed(places):
                self._bodies.freed(places)
            case Trim():
                self._bodies.trim()
            case Load():
                pass  # only the first order is one
            case _:
                self._words.hear(order)

    def _begin(self, calls: list[tuple[int, list[Envelope]]]) -> None:
        for serial, envelopes in calls:
            if self._page.claim(serial):
                self._tasks.begin(serial, envelopes)
            else:
                self._say(pack(Returned(serial)))

    def _end(self, *, politely: bool) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(politely)
        if not politely:
            asyncio.get_running_loop().remove_reader(self._sock)

    def _tell(self, news: News) -> None:
        self._say(pack(news))

    def _say(self, frame: bytearray) -> None:
        if not self._outbox and not self._writing:
            asyncio.get_running_loop().call_soon(self._write)
        self._outbox += frame

    def _write(self) -> None:
        self._outbox += self._bodies.done()
        try:
            sent = self._sock.send(self._outbox)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            self._outbox.clear()  # the reader hears of it too, and ends us
            return
        del self._outbox[:sent]
        loop = asyncio.get_running_loop()
        if self._outbox and not self._writing:
            self._writing = True
            loop.add_writer(self._sock, self._write)
        elif not self._outbox and self._writing:
            self._writing = False
            loop.remove_writer(self._sock)
