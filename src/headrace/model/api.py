"""The class users write their model in."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[float, float, str], None]
"""Hears how far a load is: done, of how many, of what."""


class Model:
    """Subclass this and define `predict` or `predict_batch`; every other hook is optional.

    setup(self[, device])                   once per replica, before its first request
    decode_request(self, request, context)  per request; alone describes the body
    predict(self, ...)                      per request
    predict_batch(self, inputs, contexts)   in place of predict: many requests at once
    encode_response(self, output, context)  per request
    health(self) -> bool                    asked from time to time
    teardown(self)                          once, at the end, and after a setup that raised

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
