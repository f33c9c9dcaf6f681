"""A replica inside the worker itself: for tests, debugging, async handlers that do little.

A sync hook holds up the whole worker here, and a crash ends it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Sequence

from headrace.core.messages import ReplicaId, Serial, Why
from headrace.errors import HeadraceError
from headrace.interfaces import Capabilities, Inbox
from headrace.model.care import configure
from headrace.model.envelope import Envelope, Part, Reply
from headrace.model.handle import use_line_here
from headrace.model.multiplexed import emptied
from headrace.model.pickles import joined
from headrace.model.progress import use_progress_here
from headrace.replica.care import CareOnLoop
from headrace.replica.frames import Answered, AnswerParts, Load, News, Word
from headrace.replica.lines import LoopLine
from headrace.replica.plans import Running, plan_of, running
from headrace.replica.progressing import Progressing
from headrace.replica.uncaught import logged, told
from headrace.replica.validating import answer_validate
from headrace.replica.words import Words


class InlineReplica:
    """One model on the worker's own event loop. See `interfaces.Replica` for its duties."""

    capabilities = Capabilities(interrupts=False, survives_crash=False)

    def __init__(self, load: Load, inbox: Inbox[Reply, Part, News]) -> None:
        """Set the model up, as a task; `ready` or `gone` follows."""
        self._id = ReplicaId(load.replica)
        self._load, self._inbox = load, inbox
        self._tasks: Running | None = None
        self._claimed = 0
        self._listeners = Words()
        self._orders: asyncio.Queue[tuple[Serial, Sequence[Envelope]] | None] = asyncio.Queue()
        self._over = False
        self._sentence: Why | None = None
        self._why, self._words = Why.SETUP, "its setup was cut short"
        self._life = asyncio.create_task(self._live())
        self._life.add_done_callback(self._end)  # runs also for a task that was cancelled unborn

    @property
    def id(self) -> ReplicaId:
        """See `interfaces.Replica`."""
        return self._id

    @property
    def pid(self) -> int:
        """See `interfaces.Replica`."""
        return os.getpid()

    def send(self, serial: Serial, envelopes: Sequence[Envelope]) -> None:
        """See `interfaces.Replica`."""
        self._orders.put_nowait((serial, envelopes))

    def flush(self) -> None:
        """See `interfaces.Replica`."""

    def recall(self, serial: Serial) -> Serial | None:
        """See `interfaces.Replica`."""
        if self._over:
            return None
        kept: list[tuple[Serial, Sequence[Envelope]] | None] = []
        recalled: list[Serial] = []
        while not self._orders.empty():
            order = self._orders.get_nowait()
            if order is not None and order[0] >= serial:
                recalled.append(order[0])
            else:
                kept.append(order)
        for order in kept:
            self._orders.put_nowait(order)
        for number in recalled:
            asyncio.get_running_loop().call_soon(self._inbox.returned, self._id, number)
        return None

    def stop(self, serial: Serial, place: int) -> None:
        """See `interfaces.Replica`."""
        if self._tasks is not None:
            self._tasks.give_up_on(serial, place)

    def grant(self, serial: Serial, place: int, parts: int) -> None:
        """See `interfaces.Replica`."""
        if self._tasks is not None:
            self._tasks.grant(serial, place, parts)

    def interrupt(self, serial: Serial) -> None:
        """See `interfaces.Replica`."""

    def tell(self, word: Word) -> None:
        """See `interfaces.Replica`."""
        self._listeners.hear(word)

    def evict(self) -> None:
        """See `interfaces.Replica`."""
        if self._tasks is None:
            self.kill()  # it has nothing to finish, and would read this order only after its setup
        else:
            self._orders.put_nowait(None)

    def kill(self, why: Why = Why.ASKED, words: str = "") -> None:
        """See `interfaces.Replica`."""
        self._sentence, self._words = why, words or self._words
        self._life.cancel()

    def abort(self) -> None:
        """See `interfaces.Replica`."""
        self.kill()

    async def _live(self) -> None:
        try:
            self._open_line()
            plan = plan_of(self._load)
            model = plan.make(self._load.arguments)
            try:
                await _done(plan.setup(model, self._load.device, self._progress))
                await _done(configure(model, self._load.options.user_config))
                self._tasks = running(plan, model, self, self._tell, self._listeners)
                answer_validate(plan, self._listeners, self._tell)
                care = CareOnLoop(plan, model, self._listeners, self._tell, self._patience_s)
                self._why, self._words = Why.CRASHED, "its task ended"
                self._inbox.ready(self._id)
                try:
                    await self._serve(self._tasks, leaf=plan.layout == "sync" and not plan.streams)
                finally:
                    await care.close()
            finally:
                with logged("teardown"):
                    await _done(plan.teardown(model))
                with logged("teardown of its models"):
                    await _done(emptied(model))
            self._why, self._words = Why.ASKED, "torn down"
        except Exception as error:  # noqa: BLE001 - the worker waits for `ready` or the reason
            reason = str(error) if isinstance(error, HeadraceError) else repr(error)
            self._words = f"{reason}\n{told(error)}"

    @property
    def _patience_s(self) -> float:
        return self._load.options.health_check_timeout_s

    def _open_line(self) -> None:
        """Let the code of this replica ask other deployments."""
        line = LoopLine(asyncio.get_running_loop(), self._tell, joined)
        self._listeners.give(Answered, line.hear)
        self._listeners.give(AnswerParts, line.hear)
        use_line_here(line)
        self._progressing = Progressing(line.tell, line.later)
        use_progress_here(self._progressing.told)

    def _end(self, _: asyncio.Task[None]) -> None:
        self._over = True
        why = self._why if self._sentence is None else self._sentence
        self._inbox.gone(self._id, why, Serial(self._claimed), self._words)

    async def _serve(self, tasks: Running, *, leaf: bool) -> None:
        try:
            while (order := await self._orders.get()) is not None:
                self._claimed = order[0]
                tasks.begin(*order)
                if leaf:
                    await tasks.all_ended()
            await tasks.all_ended()
        except asyncio.CancelledError:
            tasks.cancel_all()
            raise

    def _tell(self, news: News) -> None:
        if self._sentence is None:
            self._inbox.told(self._id, news)

    def _tell_last(self, serial: int) -> None:
        for news in self._progressing.last_words(serial):
            self._tell(news)

    def _progress(self, done: float, total: float, what: str) -> None:
        self._inbox.progress(self._id, done, total, what)

    # --- what the tasks tell: see `replica.delivery.Reports` -----------------------------

    def parts(self, serial: int, parts: list[tuple[int, Part]]) -> None:
        """Pass parts of streamed answers on."""
        if self._sentence is None:
            self._inbox.parts(self._id, Serial(serial), parts)

    def ended(self, serial: int, place: int, reply: Reply) -> None:
        """Pass the end of one answer on."""
        self._tell_last(serial)
        if self._sentence is None:
            self._inbox.ended_one(self._id, Serial(serial), place, reply)

    def finished(self, serial: int, took_s: float, replies: list[Reply]) -> None:
        """Pass the end of a call on."""
        self._tell_last(serial)
        if self._sentence is None:  # else its calls end with `gone`
            self._inbox.finished(self._id, Serial(serial), took_s, replies)


async def _done(work: Awaitable[None] | None) -> None:
    if work is not None:
        await work
