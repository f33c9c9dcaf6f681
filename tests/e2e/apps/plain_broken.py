"""An ASGI application whose start-up fails."""

from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        raise FileNotFoundError("there is no weights.bin")
