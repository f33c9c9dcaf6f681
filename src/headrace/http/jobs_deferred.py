"""A route whose requests may be jobs: those that prefer to be answered later, and no others."""

from __future__ import annotations

import time
from dataclasses import dataclass

from headrace.errors import HeadraceError
from headrace.http.body import ClientLeft
from headrace.http.hangup import connection_of
from headrace.http.jobs_prefer import PREFER, Preferences, preferences
from headrace.http.jobs_shown import Place
from headrace.http.jobs_submitting import Asked, Submitting
from headrace.http.labels import label_of
from headrace.http.messages import App, Receive, Scope, Send, respond
from headrace.http.problems import from_error
from headrace.http.responses import CLIENT_LEFT
from headrace.runtime.metrics import Endings


@dataclass(frozen=True, slots=True)
class Deferring:
    """What all such routes of a server share."""

    submitting: Submitting
    base: str
    """Where jobs are told of: `/jobs`."""
    root_path: str = ""
    """What a proxy in front strips off, where the server was told."""

    def place(self, scope: Scope, prefix: str) -> Place:
        """Return where the jobs are for whoever sent this; `prefix` is the application's own."""
        root = scope.get("root_path", "").removesuffix(prefix) or self.root_path
        return Place(root + self.base)


class Deferred:
    """One route."""

    def __init__(
        self, app: App, name: str, deferring: Deferring, endings: Endings, *, prefix: str = ""
    ) -> None:
        """Lead to `app` who is answered at once, and count the others in `endings`.

        An application has all paths below its `prefix`.
        """
        self._app, self._name, self._prefix = app, name, prefix
        self._deferring, self._endings = deferring, endings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scope."""
        if scope["type"] == "http" and any(name == PREFER for name, _ in scope["headers"]):
            prefer = preferences(scope["headers"])
            if prefer.is_async:
                await self._submit(scope, receive, send, prefer)
                return
        await self._app(scope, receive, send)

    async def _submit(
        self, scope: Scope, receive: Receive, send: Send, prefer: Preferences
    ) -> None:
        began = time.monotonic()
        label = label_of(dict(scope["headers"]).get(b"x-request-id"))
        place = self._deferring.place(scope, self._prefix)
        asked = Asked(scope, receive, label, place, prefer)
        try:
            response = await self._deferring.submitting.take(self._name, asked)
        except HeadraceError as error:
            response = from_error(error, label.decode())
        except ClientLeft:
            self._endings.count(CLIENT_LEFT, time.monotonic() - began)
            return
        await respond(send, response, label)
        connection = connection_of(scope)
        was_lost = connection is not None and connection.lost
        status = CLIENT_LEFT if was_lost else response.status
        self._endings.count(status, time.monotonic() - began)
