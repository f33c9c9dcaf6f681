"""A replica reads a request as its annotations say, and runs nothing of it: a job is submitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.errors import RequestError
from headrace.model.envelope import Envelope, Fault
from headrace.replica.frames import News, Valid, Validate
from headrace.replica.words import Words


def answer_validate(plan: Any, words: Words, tell: Callable[[News], object]) -> None:
    """Answer by `tell` whenever the worker asks; `plan.read` reads, where it has one."""
    read: Callable[[Envelope], Any] | None = plan.read

    def validate(word: Validate) -> None:
        tell(Valid(word.number, _fault(read, word.envelope)))

    words.give(Validate, validate)


def _fault(read: Callable[[Envelope], Any] | None, envelope: Envelope) -> Fault | None:
    if read is None:
        return None
    try:
        read(envelope)
    except RequestError as error:
        return Fault(error.status, error.code, error.detail, error.path)
    except Exception:  # noqa: BLE001 - an adapter of the user's raised: the job itself will tell
        return None
    return None
