"""The front door: a path finds its endpoint in a dict; what is not there is a 404 that helps."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from headrace.host.connection import Lane
from headrace.http.hangup import Cut
from headrace.http.labels import label_of
from headrace.http.messages import App, Receive, Scope, Send, respond
from headrace.http.problems import problem

log = logging.getLogger("headrace.http")


class FrontDoor:
    """The ASGI application of a server of models. Any ASGI server can run it."""

    def __init__(
        self, endpoints: Mapping[str, App], lanes: Mapping[str, Lane], models: Collection[str]
    ) -> None:
        """`models` are the models' paths; `lanes` have those that our own protocol may take."""
        self._endpoints, self._models = endpoints, models
        self.lanes = dict(lanes)

    def switch(
        self, endpoints: Mapping[str, App], lanes: Mapping[str, Lane], models: Collection[str]
    ) -> None:
        """Let other endpoints answer from now on, on the connections that are open, too."""
        self._endpoints, self._models = endpoints, models
        self.lanes.clear()  # connections hold on to this very dict
        self.lanes.update(lanes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        endpoint = self._endpoints.get(scope["path"])
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

    async def _not_found(self, scope: Scope, send: Send) -> None:
        label = label_of(dict(scope["headers"]).get(b"x-request-id"))
        detail = f"nothing is at {scope['path']}; models are at {', '.join(sorted(self._models))}"
        await respond(send, problem(404, "not_found", detail, label.decode()), label)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        while scope["type"] == "lifespan":
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
