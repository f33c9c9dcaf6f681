"""A replica on a manual clock: a process, a socket that takes its time, and the shared page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from headrace.core.credit import WINDOW
from headrace.core.messages import ReplicaId, Serial, Why
from headrace.core.records import Policy
from headrace.interfaces import Capabilities
from headrace.model.envelope import Envelope, Fault, Reply
from headrace.replica.frames import Check, Health, Holds, Word
from headrace.runtime.driver import Driver
from tests.simulation.clockwork import Clockwork

NEVER = 2**63
GIVEN_UP = Fault(499, "client_closed_request", "")
FOR_EVER_S = 500.0


@dataclass(frozen=True, slots=True)
class Temper:
    """How the replicas of one day behave."""

    took_s: float
    load_s: float = 0.01
    hangs: float = 0.0
    """The share of calls that do not return."""
    trusted: bool = True
    """The page tells at once what was taken back."""
    ill: float = 0.0
    mute: float = 0.0
    """The shares of questions for its health that it answers badly, and not at all."""
    mixes_up: bool = False
    """Gives the answers of a call in the wrong order: the day must notice."""


@dataclass(slots=True)
class Stream:
    """One answer that is sent in parts."""

    envelope: Envelope
    left: int
    sent: int = 0
    credit: int = WINDOW


class Actor:
    """See `interfaces.Replica`. What it says arrives later, in order, also after its death."""

    capabilities = Capabilities(interrupts=True, survives_crash=True)
    pid = 0

    def __init__(
        self, name: ReplicaId, policy: Policy, loop: Clockwork, chance: Random, temper: Temper
    ) -> None:
        self.id, self._policy, self._loop = name, policy, loop
        self._chance, self._temper = chance, temper
        self.driver: Driver | None = None
        self._latency_s = chance.uniform(0.00001, 0.001)
        self._inbox: deque[tuple[Serial, list[Envelope]]] = deque()
        self._running: dict[Serial, list[Envelope]] = {}
        self._begun: set[Serial] = set()
        self._wanted: dict[Serial, int] = {}
        self._claimed, self._recalled_from = 0, NEVER
        self._recalled: set[int] = set()
        self._streams: dict[tuple[Serial, int], Stream] = {}
        self._last_sent = 0
        self._models: list[str] = []
        self.is_ready = self._evicted = self._dead = False
        loop.call_later(temper.load_s * chance.uniform(0.5, 1.5), self._loaded)

    @property
    def _leaf(self) -> bool:
        return self._policy.slots == 0

    # --- the worker's side -------------------------------------------------------------------

    def send(self, serial: Serial, envelopes: Sequence[Envelope]) -> None:
        assert serial == self._last_sent + 1
        assert self.is_ready
        assert not self._recalled, "it has calls to hand over"
        self._last_sent = serial
        self._loop.call_later(self._latency_s, self._arrived, serial, list(envelopes))

    def flush(self) -> None:
        """Nothing is held back here."""

    def recall(self, serial: Serial) -> Serial | None:
        self._recalled_from = serial
        first = max(int(serial), self._claimed + 1)
        self._recalled = set(range(first, self._last_sent + 1))
        self._lift()
        return Serial(first) if self._temper.trusted else None

    def stop(self, serial: Serial, place: int) -> None:
        self._loop.call_later(self._latency_s, self._give_up_on, serial, place)

    def interrupt(self, serial: Serial) -> None:
        if self._chance.random() < 0.5:  # else it sits in a C call
            self._cut(serial)

    def grant(self, serial: Serial, place: int, parts: int) -> None:
        self._loop.call_later(self._latency_s, self._granted, (serial, place), parts)

    def tell(self, word: Word) -> None:
        """See `interfaces.Replica`: this one's code asks nobody, and says how it is if asked."""
        assert isinstance(word, Check), f"nobody is to hear {word}"
        self._loop.call_later(self._latency_s, self._checked)

    def evict(self) -> None:
        self._evicted = True
        if not self.is_ready:
            self.die(Why.ASKED)
        else:
            self._loop.call_later(self._latency_s, self._leave_if_done)

    def abort(self) -> None:
        self._loop.call_later(0.1, self.die, Why.ASKED)

    def kill(self, why: Why = Why.ASKED, words: str = "") -> None:
        self.die(why)

    # --- the replica's side --------------------------------------------------------------------

    def die(self, why: Why) -> None:
        """End; what it said before is heard first, for the socket is read to its end."""
        if not self._dead:
            self._dead = True
            self._loop.call_later(self._latency_s, self._hear_of_the_end, why)

    def _loaded(self) -> None:
        if not self._dead:
            self.is_ready = True
            self._say(self._inbox_of().ready, self.id)

    def _checked(self) -> None:
        """Say how it is, mostly well; or say nothing, now and then."""
        dice = self._chance.random()
        if not self._dead and dice > self._temper.mute:
            is_well = dice > self._temper.mute + self._temper.ill
            self._say(self._inbox_of().told, self.id, Health(is_well=is_well))

    def _arrived(self, serial: Serial, envelopes: list[Envelope]) -> None:
        if not self._dead:
            self._inbox.append((serial, envelopes))
            self._go_on()

    def _go_on(self) -> None:
        """Claim the next call; what the page says of it is looked at a moment later."""
        if self._dead or not self._inbox or (self._leaf and self._running):
            return
        serial, envelopes = self._inbox.popleft()
        self._running[serial], self._claimed = envelopes, serial
        self._wanted[serial] = len(envelopes)
        self._loop.call_later(self._chance.choice([0.0, 1e-6]), self._look, serial)

    def _look(self, serial: Serial) -> None:
        if self._dead:
            return
        if self._recalled_from <= serial:
            del self._running[serial]
            self._say(self._returned, serial)
            self._go_on()
            return
        took_s = self._temper.took_s * self._chance.uniform(0.5, 1.5)
        if self._chance.random() < self._temper.hangs:
            took_s = FOR_EVER_S
        if self._policy.multiplexed:
            took_s += self._hold(self._running[serial])
        self._begun.add(serial)
        if self._policy.item_timeout_s is not None and took_s < FOR_EVER_S:
            self._open_streams(serial)
            return
        if self._wanted[serial] <= 0:
            self._cut(serial)
        self._loop.call_later(took_s, self._end, serial, took_s, answer_to)
        if not self._leaf:
            self._go_on()

    def _hold(self, envelopes: list[Envelope]) -> float:
        """Load the model of a call, if it is not there; return how long that takes."""
        (model,) = {envelope.model_id for envelope in envelopes}
        if not model or model in self._models:
            return 0.0
        load_s = self._chance.uniform(0.01, 0.1)
        self._models = [*self._models, model][-2:]
        news = Holds(list(self._models), load_s)
        self._loop.call_later(load_s + self._latency_s, self._inbox_of().told, self.id, news)
        return load_s

    def _end(self, serial: Serial, took_s: float, answer: Callable[[Envelope], Reply]) -> None:
        if self._dead or serial not in self._running:
            return
        envelopes = self._running.pop(serial)
        for place in range(len(envelopes)):
            self._streams.pop((serial, place), None)
        replies = [answer(envelope) for envelope in envelopes]
        if self._temper.mixes_up:
            replies.reverse()
        self._say(self._finished, serial, took_s, replies)
        self._go_on()
        self._leave_if_done()

    def _give_up_on(self, serial: Serial, place: int) -> None:
        if (stream := self._streams.get((serial, place))) is not None:
            stream.left = 0
            self._loop.call_soon(self._step, (serial, place))
            return
        if serial in self._running and not self._leaf:
            self._wanted[serial] -= 1
            if self._wanted[serial] <= 0:
                self._cut(serial)

    def _open_streams(self, serial: Serial) -> None:
        for place, envelope in enumerate(self._running[serial]):
            self._streams[serial, place] = Stream(envelope, self._chance.choice([0, 1, 5, 80]))
            self._loop.call_later(self._temper.took_s, self._step, (serial, place))
        if not self._leaf:
            self._go_on()

    def _step(self, at: tuple[Serial, int]) -> None:
        """Send the next part of an answer if there is credit for it, or end it."""
        stream = self._streams.get(at)
        if self._dead or stream is None:
            return
        if stream.left == 0:
            del self._streams[at]
            if any(serial == at[0] for serial, _ in self._streams):
                reply = answer_to(stream.envelope)
                self._say(self._inbox_of().ended_one, self.id, *at, reply)
            else:
                self._end(at[0], 0.001, answer_to)
        elif stream.credit > 0:
            part = part_of(stream.envelope, stream.sent)
            self._say(self._inbox_of().parts, self.id, at[0], [(at[1], part)])
            stream.sent, stream.left, stream.credit = (
                stream.sent + 1,
                stream.left - 1,
                stream.credit - 1,
            )
            self._loop.call_later(self._temper.took_s * self._chance.random(), self._step, at)

    def _granted(self, at: tuple[Serial, int], parts: int) -> None:
        if (stream := self._streams.get(at)) is not None:
            stream.credit += parts
            if stream.credit == parts:  # it had stopped for want of it
                self._step(at)

    def _cut(self, serial: Serial) -> None:
        if serial in self._begun:
            self._loop.call_soon(self._end, serial, 0.001, lambda _: GIVEN_UP)

    def _leave_if_done(self) -> None:
        if self._evicted and not self._running and not self._inbox:
            self.die(Why.ASKED)

    # --- the socket --------------------------------------------------------------------------

    def _say(self, what: object, *words: object) -> None:
        self._loop.call_later(self._latency_s, what, *words)  # type: ignore[arg-type]

    def _inbox_of(self) -> Driver:
        assert self.driver is not None
        return self.driver

    def _finished(self, serial: Serial, took_s: float, replies: list[Reply]) -> None:
        self._came_back(serial)
        self._inbox_of().finished(self.id, serial, took_s, replies)

    def _returned(self, serial: Serial) -> None:
        self._came_back(serial)
        self._inbox_of().returned(self.id, serial)

    def _hear_of_the_end(self, why: Why) -> None:
        self._inbox_of().gone(self.id, why, Serial(self._claimed), "")

    def _came_back(self, serial: Serial) -> None:
        self._recalled.discard(serial)
        self._lift()

    def _lift(self) -> None:
        if not self._recalled:
            self._recalled_from = NEVER


def answer_to(envelope: Envelope) -> bytes:
    """Return what only this request may be answered."""
    return f"answer to {envelope.label}".encode()


def part_of(envelope: Envelope, number: int) -> bytes:
    """Return the part of this number of a request's answer."""
    return f"part {number} for {envelope.label}".encode()
