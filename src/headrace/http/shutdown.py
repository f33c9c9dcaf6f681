"""`POST /-/shutdown`: who may end the server over HTTP, and what whoever asks is told.

Method, then address, then key: each refusal says what is wrong, is recorded, and is counted. The
address is the one of the socket: what a proxy says of its clients opens nothing here. The answer is
sent before anything ends.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from headrace.errors import Forbidden, HeadraceError, MethodNotAllowed
from headrace.host.audit import API, Asker, Audit
from headrace.host.settings import Settings
from headrace.host.shutdown_keys import ENV, named
from headrace.http.forwarded import PEER, Proxies
from headrace.http.keys import Keys
from headrace.http.labels import label_of
from headrace.http.messages import App, Receive, Scope, Send, respond
from headrace.http.operations import as_json
from headrace.http.problems import from_error

PATH = "/-/shutdown"
ALIAS = "/shutdown"
REASONS = {403: "address", 401: "key", 405: "method"}


class ShutdownApi:
    """The endpoint of one process, if the settings want one, and how often it refused."""

    def __init__(
        self,
        settings: Settings,
        key: str,
        in_flight: Callable[[], int],
        ask: Callable[[Asker], object],
    ) -> None:
        """`key` was made for this server; the environment may name others. Raises ConfigError."""
        self._settings, self._in_flight, self._ask = settings, in_flight, ask
        self._audit = Audit(settings.audit_log)
        self._keys = _keys(key) if settings.enable_shutdown_api else None
        self._allowed = Proxies(settings.shutdown_allow) if settings.shutdown_allow else None
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS.values(), 0))
        self._is_asked = False

    def endpoints(self, *, is_alone: bool) -> dict[str, App]:
        """Return the paths with what answers there; `is_alone` if no application has the others.

        A path that the settings name is ours wherever it is.
        """
        if self._keys is None:
            return {}
        path = self._settings.shutdown_path
        others = [path] if is_alone or path != ALIAS else []
        return dict.fromkeys([PATH, *others], self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's three
        """Answer one call."""
        label = label_of(dict(scope["headers"]).get(b"x-request-id"))
        asker = Asker(API, _place(scope), request_id=label.decode())
        try:
            key = self._admit(scope)
        except HeadraceError as error:
            self._refuse(asker, error)
            await respond(send, from_error(error, label.decode()), label)
            return
        told = self._outlook()
        self._is_asked = True
        try:
            await respond(send, as_json(told), label)
        finally:  # who has left meanwhile has asked all the same
            self._ask(Asker(API, asker.who, key=key, request_id=asker.request_id))

    def metrics(self) -> Iterator[str]:
        """Return how often it refused, as Prometheus text."""
        yield "# HELP headrace_shutdown_refused_total Calls for a stop that were refused."
        yield "# TYPE headrace_shutdown_refused_total counter"
        for reason, count in sorted(self.refused.items()):
            yield f'headrace_shutdown_refused_total{{reason="{reason}"}} {count}'

    def _admit(self, scope: Scope) -> str:
        """Return the fingerprint of the key. Raises MethodNotAllowed, Forbidden, Unauthorized."""
        if scope["method"] != "POST":
            raise MethodNotAllowed(
                f"{scope['path']} takes POST, not {scope['method']}", allow="POST"
            )
        peer = _peer(scope)
        if self._allowed is not None and not self._allowed.trusts(peer[0] if peer else None):
            raise Forbidden("this address may not stop the server; see the setting shutdown_allow")
        if self._keys is None:
            raise Forbidden("nobody may stop this server over HTTP")
        return self._keys.fingerprint(dict(scope["headers"]))

    def _refuse(self, asker: Asker, error: HeadraceError) -> None:
        reason = REASONS[error.status]
        self.refused[reason] += 1
        self._audit.refused(asker, reason, error.status)

    def _outlook(self) -> dict[str, Any]:
        settings, hurries = self._settings, self._is_asked
        grace_s = 0.0 if hurries else settings.graceful_timeout_s
        delay_s = 0.0 if hurries else settings.drain_delay_s
        return {
            "status": "stopping",
            "in_flight": self._in_flight(),
            "drain_delay_s": delay_s,
            "grace_s": grace_s,
            "hurries": hurries,
        }


def _keys(made: str) -> Keys:
    """Return what opens it. Raises ConfigError."""
    return Keys([*named(os.environ), *([made] if made else [])], f"the shutdown API ({ENV})")


def _peer(scope: Scope) -> tuple[str, int] | None:
    """Return the address of who holds the socket's other end; None on a unix socket."""
    peer: tuple[str, int] | None = scope.get(PEER, scope.get("client"))
    return peer if peer and peer[1] else None


def _place(scope: Scope) -> str:
    peer, client = _peer(scope), scope.get("client")
    place = f"{peer[0]}:{peer[1]}" if peer else "a unix socket"
    told = client[0] if client and peer and client[0] != peer[0] else ""
    return f"{place} for {told}" if told else place
