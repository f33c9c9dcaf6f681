"""A script with middleware of its own, which `headrace serve` has to find again in the server."""

from __future__ import annotations

from typing import Any

import headrace as hr


class Stamp:
    """Writes a word onto every answer."""

    def __init__(self, app: Any, word: str) -> None:
        self._app, self._word = app, word

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def stamped(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-stamp", self._word.encode())]
            await send(message)

        await self._app(scope, receive, stamped)


class Hello(hr.Model):
    def predict(self, name: str) -> str:
        return f"Hello, {name}!"


hr.run(Hello, port=0, middleware=[(Stamp, {"word": "seen"})], cors_origins=["https://a.example"])
