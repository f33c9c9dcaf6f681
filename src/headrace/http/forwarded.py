"""Who a request really comes from, where a proxy that is trusted says so.

X-Forwarded-For grows to the right, each proxy adding whom it saw; so it is read from the right, and
the first one that is no proxy of ours is the client. What stands left of it anybody may have made
up. From a peer that is not trusted the headers are left alone and count for nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from headrace.host.connection import Connection, Landing, Lane
from headrace.http.lanes import Around
from headrace.http.messages import App, Receive, Scope, Send

ANYONE, UNIX = "*", "unix"
SECURE = {"http": "https", "ws": "wss"}
PEER = "headrace.peer"
"""Where a scope keeps the socket's own address, when a proxy's word stands in its place."""
MOST_REMEMBERED = 4096


class Proxies:
    """The proxies whose word counts: addresses, networks, `unix` for unix sockets, `*` for all."""

    def __init__(self, trusted: Collection[str]) -> None:
        self._trusts_all = ANYONE in trusted
        self._trusts_unix = self._trusts_all or UNIX in trusted
        networks = [word for word in trusted if word not in (ANYONE, UNIX)]
        self._networks = [ipaddress.ip_network(word, strict=False) for word in networks]
        self._known: dict[str, bool] = {}

    def trusts(self, peer: str | None) -> bool:
        """Tell whether this address is a proxy's; None is a peer on a unix socket."""
        if peer is None:
            return self._trusts_unix
        if self._trusts_all:
            return True
        if peer not in self._known:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[peer] = self._is_in_networks(peer)
        return self._known[peer]

    def amend(self, scope: Scope) -> None:
        """Put the client and the scheme that a trusted proxy tells into the scope."""
        peer = scope.get("client")
        if not self.trusts(peer[0] if peer and peer[1] else None):
            return
        told = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if told and (client := self._client(b",".join(told).decode("latin-1").split(","))):
            scope[PEER], scope["client"] = peer, (client, 0)
        schemes = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        if schemes and schemes[-1].rpartition(b",")[2].strip().lower() in (b"https", b"wss"):
            scope["scheme"] = SECURE.get(scope["scheme"], scope["scheme"])

    def _client(self, chain: list[str]) -> str | None:
        """Return the first from the right that is no proxy; the last one if all of them are."""
        client = None
        for word in reversed(chain):
            address = _address(word.strip())
            if address is None:  # what is left of it cannot be believed either
                break
            client = address
            if not self.trusts(address):
                break
        return client

    def _is_in_networks(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._networks)


def _address(word: str) -> str | None:
    """Read one entry: an address, perhaps with a port behind it."""
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        return None


class Forwarded:
    """An application that sees the clients behind the proxies."""

    def __init__(self, app: App, proxies: Proxies) -> None:
        self._app, self._proxies = app, proxies
        self.lanes = Around(getattr(app, "lanes", {}), lambda lane: _Lane(lane, proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `App`."""
        if scope["type"] in ("http", "websocket"):
            self._proxies.amend(scope)
        await self._app(scope, receive, send)


class _Lane:
    """See `host.connection.Lane`."""

    def __init__(self, lane: Lane, proxies: Proxies) -> None:
        self._lane, self._proxies = lane, proxies
        self.least_length = lane.least_length

    def take(self, scope: Scope, body: bytes, connection: Connection) -> None:
        self._proxies.amend(scope)
        self._lane.take(scope, body, connection)

    def land(self, scope: Scope, length: int, connection: Connection) -> Landing | None:
        landing = self._lane.land(scope, length, connection)
        if landing is not None:  # else it goes by ASGI, and is seen to there
            self._proxies.amend(scope)
        return landing
