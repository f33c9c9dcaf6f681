"""The class users write their model in."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

Report = Callable[[float, float, str], None]
"""Hears how far a load is: done, of how many, of what."""


class Done(Enum):
    """The type of `DONE`, which is its only value."""

    DONE = "DONE"

    def __repr__(self) -> str:
        return "headrace.DONE"


DONE: Final = Done.DONE
"""In the place of an item: this request has all of its items, and takes part no more."""


class Model:
    """Subclass this and define `predict` or `predict_batch`; every other hook is optional.

    setup(self[, device])                   once per replica, before its first request
    decode_request(self, request, context)  per request; alone describes the body
    predict(self, ...)                      per request
    predict_batch(self, inputs, contexts)   in place of predict: many requests at once
    encode_response(self, output, context)  per request; of a stream, per item
    health(self) -> bool                    asked from time to time
    teardown(self)                          once, at the end, and after a setup that raised

    A `predict` or `predict_batch` that is a generator makes the answers streams. Instead of them:

    admit(self, x, context) -> state        a request joins the ones that are under way
    step(self, states) -> outputs           the next item of each, or DONE
    leave(self, state)                      a request has left, however it ended

    None of them is defined here, so what a class has is what it says. Any may be `async def`. An
    `__init__` must do without arguments, and need not call this one: there is none.
    """

    _headrace_report: Report | None = None

    def loading(self, done: float, total: float, what: str = "") -> None:
        """Report from `setup` how far it is, in any unit; in a unit test nobody listens."""
        if self._headrace_report is not None:
            self._headrace_report(done, total, what)


def install_report(model: Model, report: Report) -> None:
    """Let `model.loading` be heard."""
    vars(model)["_headrace_report"] = report  # not setattr: a model may be a frozen dataclass
