"""uvicorn's protocol of a WebSocket, which takes a refusal for the end of a handshake as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent


class Conversation(WebSocketsSansIOProtocol):
    """One WebSocket."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send. After a whole refusal by HTTP, uvicorn would log an error that there is not."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
