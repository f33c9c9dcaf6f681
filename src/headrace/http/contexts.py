"""While an application's code runs, `current_context()` tells which request it serves."""

from __future__ import annotations

from math import inf

from headrace.http.messages import Scope
from headrace.model.context import OK, Context, current
from headrace.model.envelope import Envelope, Head


def enter(scope: Scope, label: bytes) -> None:
    """Make it this request's to the end of the running context."""
    current.set(_OfScope(scope, label))


class _OfScope(Context):
    """A Context that reads the ASGI scope, and only if it is asked."""

    __slots__ = ("_label", "_scope")
    _label: bytes
    _scope: Scope

    def __init__(self, scope: Scope, label: bytes) -> None:
        """Leave the parent's out: this runs for each request."""
        self._scope, self._label = scope, label
        self._status, self._response_headers, self._abandoned = OK, None, False

    @property
    def _envelope(self) -> Envelope:  # type: ignore[override] # nobody writes it here
        scope, client = self._scope, self._scope.get("client")
        head = Head(
            scope.get("method", "GET"),
            scope["path"],
            scope["query_string"],
            scope["headers"],
            f"{client[0]}:{client[1]}" if client else "",
            scope.get("root_path", ""),
            scope.get("scheme", "http"),
            scope.get("http_version", "1.1"),
        )
        return Envelope(self._label.decode(), inf, 1, None, b"", head)
