"""An application in a replica: its scopes, and the way of each through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.model.envelope import Head, Reply
from headrace.replica.asgi_http import HttpExchange
from headrace.replica.asgi_socket import SocketExchange
from headrace.replica.asgi_types import App, Receive, Scope, Send
from headrace.replica.exchange import Exchange

ASGI = {"version": "3.0", "spec_version": "2.4"}
"""As of 2.4, what is sent to a client that left raises an OSError."""
SOCKET = "websocket"
EXTENSIONS: Mapping[str, Mapping[str, Any]] = {SOCKET: {"websocket.http.response": {}}}


async def serve(app: App, exchange: Exchange, head: Head, state: Mapping[str, Any]) -> Reply:
    """Let an application answer a request that came over HTTP."""
    kind = SocketExchange if head.kind == SOCKET else HttpExchange
    return await kind(exchange, head).run(app, scope_of(head, state))


def scope_of(head: Head, state: Mapping[str, Any]) -> Scope:
    """Return the scope of a request; `state` is what the application's lifespan yielded."""
    scope: dict[str, Any] = {
        "type": head.kind,
        "asgi": ASGI.copy(),
        "http_version": head.http_version,
        "scheme": head.scheme,
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "root_path": head.root_path,
        "headers": head.headers,
        "client": _address(head.client),
        "server": _address(head.server),
        "state": dict(state),
        "extensions": dict(EXTENSIONS.get(head.kind, {})),
    }
    if head.kind == "http":
        scope["method"] = head.method
    else:
        scope["subprotocols"] = list(head.subprotocols)
    return scope


def _address(text: str) -> tuple[str, int | None] | None:
    host, _, port = text.rpartition(":")
    return (host, int(port) if port else None) if host else None


def request_of(scope: Scope, receive: Receive, send: Send) -> Any:
    """Return Starlette's Request."""
    from starlette.requests import Request  # noqa: PLC0415 - for handlers that take one

    return Request(scope, receive, send)
