"""An application in replicas that is bound to what a file says: behind keys, a path, and TLS."""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket

import headrace as hr

app = FastAPI()
WORD = Path(os.environ["WORD"]).read_text() if "WORD" in os.environ else "?"


@hr.deployment
@hr.ingress(app)
class Front:
    def __init__(self, word: str) -> None:
        self.word = word

    @app.get("/where")
    async def where(self, request: Request) -> dict[str, Any]:
        scope = request.scope
        key = request.headers.get("authorization") or request.headers.get("x-api-key")
        return {"root": scope["root_path"], "path": scope["path"], "key": key}

    @app.get("/link")
    async def link(self, request: Request) -> str:
        return str(request.url_for("where"))

    @app.websocket("/ws")
    async def talk(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(self.word)
        async for text in socket.iter_text():
            await socket.send_text(f"{self.word} {text}")


plain = hr.bind(Front, WORD)  # another word makes it another deployment: a reload replaces it
keyed = plain.options(api_keys=["a-key-of-some-length"])
