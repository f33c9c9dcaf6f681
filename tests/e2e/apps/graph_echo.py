"""An echo in four replicas, with nothing but Starlette in front."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

import headrace as hr


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(str(os.getpid()))
    async for word in websocket.iter_text():
        await websocket.send_text(word)


@hr.deployment(replicas=4)
@hr.ingress(Starlette(routes=[WebSocketRoute("/", echo)]))
class Echo:
    pass


hr.run(Echo)
