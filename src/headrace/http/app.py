"""The front door: a path finds its endpoint in a dict, or below a prefix; else a 404 that helps."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType

from headrace.host.connection import Lane
from headrace.http.hangup import Cut
from headrace.http.labels import label_of
from headrace.http.messages import App, Receive, Scope, Send, respond
from headrace.http.problems import problem
from headrace.http.routing import ROOT, Prefixes, is_below

log = logging.getLogger("headrace.http")


class FrontDoor:
    """The ASGI application of a server of models. Any ASGI server can run it."""

    def __init__(
        self,
        endpoints: Mapping[str, App],
        lanes: Mapping[str, Lane],
        models: Collection[str],
        below: Mapping[str, App] = MappingProxyType({}),
        pages: Mapping[str, App] = MappingProxyType({}),
        *,
        root_path: str = "",
    ) -> None:
        """`models` are the models' paths; `lanes` have those that our own protocol may take.

        What is in `below` answers at every path below its own that no endpoint has; so do before it
        our own `pages`. A proxy in front has cut `root_path` off the paths, or may have.
        """
        self._root = root_path
        self._endpoints, self._models, self._below = endpoints, models, Prefixes(below)
        self._pages = tuple(pages.items())
        self.lanes = dict(lanes)

    def switch(
        self,
        endpoints: Mapping[str, App],
        lanes: Mapping[str, Lane],
        models: Collection[str],
        below: Mapping[str, App] = MappingProxyType({}),
        pages: Mapping[str, App] = MappingProxyType({}),
    ) -> None:
        """Let other endpoints answer from now on, on the connections that are open, too."""
        self._endpoints, self._models, self._below = endpoints, models, Prefixes(below)
        self._pages = tuple(pages.items())
        self.lanes.clear()  # connections hold on to this very dict
        self.lanes.update(lanes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        endpoint = self._endpoints.get(scope["path"]) or self._enter(scope)
        if endpoint is None:
            await self._not_found(scope, send)
            return
        try:
            await endpoint(scope, receive, send)
        except Cut:
            raise
        except Exception:
            label = label_of(dict(scope["headers"]).get(b"x-request-id"))
            log.exception("request %s: a bug in Headrace", label.decode())
            detail = "an error of the server's own; its log has it under this request id"
            await respond(send, problem(500, "internal_error", detail, label.decode()), label)

    def _enter(self, scope: Scope) -> App | None:
        """Find what is mounted above a path, and let the scope say where that is."""
        root, path = scope.get("root_path") or self._root, scope["path"]
        inner = path.removeprefix(root) or ROOT if is_below(path, root) else path
        if (page := self._page(inner)) is not None:
            scope["path"] = inner
            return page
        found = self._below.find(inner)
        if found is None:
            return self._endpoints.get(inner) if inner != path else None
        scope["root_path"] = root + found.root_path
        if inner is path and root:
            scope["path"] = root + path
            if raw := scope.get("raw_path"):
                scope["raw_path"] = root.encode() + raw
        return found.target

    def _page(self, path: str) -> App | None:
        """Return which of our own pages has this path at or below its base."""
        for base, page in self._pages:
            if path == base or is_below(path, base):
                return page
        return None

    async def _not_found(self, scope: Scope, send: Send) -> None:
        label = label_of(dict(scope["headers"]).get(b"x-request-id"))
        detail = f"nothing is at {scope['path']}; models are at {', '.join(sorted(self._models))}"
        await respond(send, problem(404, "not_found", detail, label.decode()), label)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if (endpoint := self._enter(scope)) is not None:
                await endpoint(scope, receive, send)
                return
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        while scope["type"] == "lifespan":
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
