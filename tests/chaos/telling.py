"""What an answer must say, whichever deployment gave it: a judgement of each, and of each item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

EVENTS, LINES, TEXT = "text/event-stream", "application/x-ndjson", "*/*"
FORMS = (EVENTS, LINES, TEXT)
_AROUND = ("decode_request", "encode_response")


@dataclass(frozen=True, slots=True)
class Way:
    """A deployment by its name, and the hooks between decoding and encoding."""

    name: str
    hooks: tuple[str, ...]
    streams: bool = False


WAYS = (
    Way("single", ("predict",)),
    Way("pooled", ("predict",)),
    Way("waiting", ("predict",)),
    Way("batch-1", ("predict_batch",)),
    Way("batch-4", ("predict_batch",)),
    Way("batch-32", ("predict_batch",)),
    Way("waiting-batch-8", ("predict_batch",)),
    Way("generator", ("predict",), streams=True),
    Way("waiting-generator", ("predict",), streams=True),
    Way("batch-generator", ("predict_batch",), streams=True),
    Way("waiting-batch-generator", ("predict_batch",), streams=True),
    Way("continuous", ("admit", "step"), streams=True),
    Way("waiting-continuous", ("admit", "step"), streams=True),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: whose it is, how many items it wants, in which form."""

    way: Way
    nonce: str
    count: int = 1
    form: str = LINES

    @property
    def body(self) -> bytes:
        told = {"nonce": self.nonce, "count": self.count, "text": self.form == TEXT}
        return msgspec.json.encode(told)


def wrong_with(ask: Ask, said: Any, index: int) -> str:
    """Say what is not this request's own in an answer or an item; nothing if all of it is."""
    hooks = [_AROUND[0], *ask.way.hooks, _AROUND[1]]
    if said["nonce"] != ask.nonce or said["index"] != index:
        return f"{ask.nonce} #{index} got {said['nonce']} #{said['index']}"
    if said["seen"] != dict.fromkeys(hooks, ask.nonce):
        return f"{ask.nonce} #{index} was seen as {said['seen']}"
    return ""


@dataclass(slots=True)
class Listener:
    """Hears one stream; `wrong` is filled by what is not as promised."""

    ask: Ask
    items: int = 0
    pids: set[int] = field(default_factory=set)
    attempts: set[int] = field(default_factory=set)
    problem: dict[str, Any] | None = None
    done: bool = False
    wrong: list[str] = field(default_factory=list)
    _rest: bytes = b""

    def hear(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        between = b"\n\n" if self.ask.form == EVENTS else b"\n"
        *blocks, self._rest = (self._rest + chunk).split(between)
        for block in blocks:
            if self.problem is not None or self.done:
                self.wrong.append(f"{self.ask.nonce}: {block!r} came behind the end")
            elif self.ask.form == EVENTS:
                self._hear_event(block)
            else:
                self._hear_item(block)

    def end(self, *, cleanly: bool) -> str:
        """Judge the end: `complete`, `told` (it failed and said so), or `cut` (it broke off)."""
        whole = self.items == self.ask.count and self.done == (self.ask.form == EVENTS)
        self._check_sources()
        if self.problem is None and not cleanly:
            if self.ask.form != TEXT:  # the others have a word for it
                self.wrong.append(f"{self.ask.nonce} was cut without a word, {self.ask.form}")
            return "cut"
        if self._rest:
            self.wrong.append(f"{self.ask.nonce} ended with half an item: {self._rest!r}")
        if self.problem is None and not whole:
            self.wrong.append(f"{self.ask.nonce} ended well with {self.items} of {self.ask.count}")
        return "complete" if self.problem is None else "told"

    def _check_sources(self) -> None:
        if len(self.pids) > 1 or len(self.attempts) > 1:
            self.wrong.append(f"{self.ask.nonce} came from {self.pids} in {self.attempts}")

    def _hear_event(self, block: bytes) -> None:
        kind, _, words = block.rpartition(b"\n")
        words = words.removeprefix(b"data:").strip()
        match kind:
            case b"event: done":
                self.done = True
            case b"event: error":
                self.problem = msgspec.json.decode(words)
            case _:
                self._hear_item(words)

    def _hear_item(self, words: bytes) -> None:
        said = msgspec.json.decode(words)
        if set(said) == {"error"}:
            self.problem = said["error"]
            return
        if wrong := wrong_with(self.ask, said, self.items):
            self.wrong.append(wrong)
        self.items += 1
        self.pids.add(said["pid"])
        self.attempts.add(said["attempt"])
