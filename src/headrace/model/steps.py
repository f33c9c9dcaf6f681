"""What happens to a request in a model, step by step; the runners differ only in how they wait."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.model.called import fault_for
from headrace.model.calls import Call
from headrace.model.codec import Reader
from headrace.model.context import Context, context_of
from headrace.model.entrance import Entrance
from headrace.model.envelope import Answer, Envelope, Reply
from headrace.model.faults import fault_of
from headrace.model.plain import BadBatch as BadBatch  # noqa: PLC0414 - asked for here

ARRAY_WORDS = "a list, a tuple, an array or a tensor"


@dataclass(frozen=True, slots=True)
class Steps:
    """The hooks of one model in order, in one shape; `waits` names those that are `async def`."""

    read: Reader
    decode: Call | None
    work: Call
    work_hook: str
    encode: Call | None
    answer: Callable[[Any, Context], bytes | Answer]
    waits: frozenset[str]
    read_hook: str
    entrance: Entrance
    """Where calls through handles enter."""
    told: str = "predict"
    """What people know the work by, where each request has it to itself."""

    @property
    def last_hook(self) -> str:
        """The hook whose return value is the answer."""
        return self.work_hook if self.encode is None else "encode_response"


class Item:
    """One request's way through a batch; `reply` is set when it has ended."""

    __slots__ = ("context", "envelope", "place", "reply", "value")

    def __init__(self, envelope: Envelope, place: int = 0) -> None:
        self.envelope = envelope
        self.context: Context = context_of(envelope, place)
        self.place = place
        self.value: Any = None
        self.reply: Reply | None = None

    def fail(self, error: BaseException, hook: str) -> None:
        """End it in what a hook raised, which the log is told."""
        self.reply = fault_for(self.envelope, fault_of(error, hook, [self.context]), error)


Run = Callable[[Any, Sequence[Envelope]], list[Reply]]
RunAsync = Callable[[Any, Sequence[Envelope]], Coroutine[Any, Any, list[Reply]]]


def dealt(outputs: Any, wanted: int) -> list[Any]:
    """Give a batch's outputs as a list with one for each input.

    Raises BadBatch for anything that cannot be told apart so; a mapping or a text has a length
    too, and dealing out its keys or letters would hand every caller something wrong.
    """
    kind = type(outputs).__name__
    if inspect.iscoroutine(outputs):
        outputs.close()  # it will never run; say so once, here
        raise BadBatch("gave a coroutine; write it as `async def`")
    if isinstance(outputs, str | bytes | bytearray | set | frozenset) or hasattr(outputs, "keys"):
        raise BadBatch(f"returned a {kind}, which has no order of its own; return {ARRAY_WORDS}")
    try:
        got = len(outputs)
        rows = outputs if type(outputs) is list else list(outputs)
    except TypeError as error:
        raise BadBatch(f"returned a {kind}, which has no length; return {ARRAY_WORDS}") from error
    if got != wanted or len(rows) != wanted:
        raise BadBatch(f"returned {got} outputs for {wanted} inputs")
    return rows
