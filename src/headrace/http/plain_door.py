"""The front door of a plain application: our own paths first, every other one is the application's.

An ASGI application behind it gets what the specification promises, and nothing of it can leave that
is no whole response. Its requests are never cancelled when a client leaves, for what they do behind
an answer (background tasks) counts; a stream hears of it, by the OSError that ASGI 2.4 has for it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from headrace.errors import HeadraceError
from headrace.host.connection import Lane
from headrace.http.body import Clocked, Pace, declared, too_large
from headrace.http.contexts import enter
from headrace.http.direct import DirectAnswer
from headrace.http.guard import LABEL, Answer, Guard
from headrace.http.labels import label_of
from headrace.http.messages import App, Message, Receive, Scope, Send, respond
from headrace.http.problems import from_error, problem

log = logging.getLogger("headrace.http")
OURS = "/-/"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every request of an application."""

    root_path: str
    pace: Pace
    is_direct: bool = True
    """Nothing stands around it that has to see its responses."""
    state: dict[str, Any] = field(default_factory=dict)
    """What its lifespan yielded."""


class PlainDoor:
    """Our paths, all those below `/-/` among them, and an application everywhere else."""

    def __init__(
        self,
        app: App,
        ours: Mapping[str, App],
        lane: Lane | None = None,
        below: Mapping[str, App] = MappingProxyType({}),
    ) -> None:
        """`lane` takes the application's requests past ASGI, if there is one.

        What is in `below` is ours, too, and answers at its path and below.
        """
        self._app, self._ours, self._below = app, ours, tuple(below.items())
        self.lanes: Mapping[str, Lane] = {} if lane is None else _Everywhere(lane, self._is_ours)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one connection's scope; what is returned is the chosen one's own coroutine."""
        path: str = scope["path"]
        if scope["type"] == "http" and self._is_ours(path):
            return self._find(path)(scope, receive, send)
        return self._app(scope, receive, send)

    def _is_ours(self, path: str) -> bool:
        return path.startswith(OURS) or path in self._ours or self._page(path) is not None

    def _find(self, path: str) -> App:
        return self._ours.get(path) or self._page(path) or self._not_found

    def _page(self, path: str) -> App | None:
        for base, page in self._below:
            if path.startswith(base) and path[len(base) : len(base) + 1] in ("", "/"):
                return page
        return None

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's three
        label = label_of(dict(scope["headers"]).get(LABEL))
        there = ", ".join(sorted(self._ours))
        detail = f"nothing is at {scope['path']}; below {OURS} there are {there}"
        await respond(send, problem(404, "not_found", detail, label.decode()), label)


class _Everywhere(dict[str, Lane]):
    """One lane for every path but ours."""

    def __init__(self, lane: Lane, is_ours: Callable[[str], bool]) -> None:
        super().__init__({"": lane})
        self._lane, self._is_ours = lane, is_ours

    def __getitem__(self, path: str) -> Lane:
        if self._is_ours(path):
            raise KeyError(path)
        return self._lane

    def get(self, path: str, default: Any = None) -> Any:
        """See `dict`."""
        return default if self._is_ours(path) else self._lane


class AsgiDoor:
    """An ASGI application behind the guard, on our terms."""

    def __init__(self, app: App, terms: Terms) -> None:
        """Take the application."""
        self._app, self._terms = app, terms
        self._guard = Guard(app)
        self._answer = DirectAnswer if terms.is_direct else Answer

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """See `App`: what is returned is the guard's own coroutine, for each costs its time."""
        terms, headers = self._terms, dict(scope["headers"])
        label = _labelled(scope, headers)
        scope["state"] = terms.state.copy()
        if terms.root_path:
            _mount(scope, terms.root_path)
        enter(scope, label)
        if scope["type"] == "websocket":
            return self._socket(scope, receive, send, label)
        answer = self._answer(scope, send, label)
        if b"content-length" in headers or b"transfer-encoding" in headers:
            most = terms.pace.most_bytes
            if most is not None and (declared(headers.get(b"content-length")) or 0) > most:
                return respond(send, from_error(too_large(most), label.decode()), label)
            receive = _Bounded(receive, answer, terms.pace).receive
        return self._guard.run(scope, receive, answer)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, label: bytes) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            log.exception("request %s: the application failed on its WebSocket", label.decode())
            raise


class _Bounded:
    """A `receive` whose refusal of a body is the answer, whatever the application makes of it."""

    def __init__(self, receive: Receive, answer: Answer, pace: Pace) -> None:
        self._receive, self._answer = Clocked(receive, pace), answer

    async def receive(self) -> Message:
        try:
            return await self._receive()
        except HeadraceError as error:
            self._answer.refusal = error
            raise


def _labelled(scope: Scope, named: Mapping[bytes, bytes]) -> bytes:
    """Return the request's label, which its headers carry from here on."""
    given = named.get(LABEL)
    label = label_of(given)
    if given is None:
        scope["headers"].append((LABEL, label))
    elif given != label:
        others = [header for header in scope["headers"] if header[0] != LABEL]
        scope["headers"] = [*others, (LABEL, label)]
    return label


def _mount(scope: Scope, root_path: str) -> None:
    """Say where the application is mounted, whether the proxy has cut that off the path or not."""
    path: str = scope["path"]
    scope["root_path"] = root_path
    if path != root_path and not path.startswith(f"{root_path}/"):
        scope["path"] = root_path + path
        if raw := scope.get("raw_path"):
            scope["raw_path"] = root_path.encode() + raw
