"""The path of one request to an application, or a plain class or function, in a replica.

Everything below its prefix is its own: any method, any path, bodies of any length piece by piece,
WebSockets. A small body comes whole, with its request.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from headrace.core.messages import DeploymentId
from headrace.errors import HeadraceError, Refused
from headrace.host.connection import SMALL_BYTES
from headrace.http.body import ClientLeft, Pace, declared, too_large
from headrace.http.endpoints import (
    AGAIN_S,
    DEADLINE,
    Limits,
    Traits,
    model_id_of,
    seconds_of,
)
from headrace.http.guard import LABEL
from headrace.http.hangup import connection_of, cut_off, watched
from headrace.http.inflow import Appetite, Upload
from headrace.http.labels import label_of
from headrace.http.messages import Receive, Scope, Send
from headrace.http.outflow import Client, Outflow, send_whole
from headrace.http.responses import CLIENT_LEFT
from headrace.http.sockets import LEFT, Socket
from headrace.http.streaming import Sent
from headrace.memory.arena import Region
from headrace.model.envelope import Envelope, Head
from headrace.runtime.asked import Asked
from headrace.runtime.driver import Driver
from headrace.runtime.feeding import Feeding
from headrace.runtime.metrics import Endings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""They promise to change nothing: such a request may be run twice."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What holds for every application of a server."""

    pace: Pace
    is_direct: bool = True
    """Nothing stands around the front door that has to see its responses."""
    is_patient: bool = False
    """A client's own deadline does not count: the code is being debugged."""


class Body(NamedTuple):
    """What is here of a request's body."""

    data: bytes
    more: bool


class IngressEndpoint:
    """One deployment's prefix."""

    def __init__(
        self, driver: Driver, feeding: Feeding, endings: Endings, ways: Ways, *, to: Leads
    ) -> None:
        """Count what comes and goes in `endings`."""
        self._driver, self._feeding, self._endings = driver, feeding, endings
        self._ways, self._to, self._is_closed = ways, to, False

    def lead_to(
        self, deployment: DeploymentId, *, limits: Limits, traits: Traits, region: Region | None
    ) -> None:
        """Ask this deployment from now on."""
        self._to, self._is_closed = Leads(deployment, limits, traits, region), False

    def close(self) -> None:
        """Lead nowhere from now on: there is nothing behind it, or not yet another one."""
        self._is_closed = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hold one conversation."""
        began = time.monotonic()
        headers = dict(scope["headers"])
        label = label_of(headers.get(LABEL))
        if scope["type"] == "websocket":
            status = await self._converse(scope, receive, send, label)
            self._endings.count(status, time.monotonic() - began)
            return
        connection = connection_of(scope)
        direct = connection if self._ways.is_direct else None
        tells = self._to.traits.kind == "plain"
        client = Client(scope, send, label, direct, tells=tells)
        try:
            sent = await self._answer(client, headers, receive, began)
        except HeadraceError as error:
            sent = await send_whole(error, client)
        except ClientLeft:
            sent = Sent(CLIENT_LEFT)
        was_lost = connection is not None and connection.lost
        self._endings.count(CLIENT_LEFT if was_lost else sent.status, time.monotonic() - began)
        if sent.cut:
            await cut_off(scope)

    # --- HTTP ------------------------------------------------------------------------------

    async def _answer(
        self, client: Client, headers: dict[bytes, bytes], receive: Receive, began: float
    ) -> Sent:
        scope, keys = client.scope, self._to.limits.keys
        if keys is not None:
            keys.admit(scope, headers)
        body = await self._body(headers, receive)
        to = self._open()  # it may have been led elsewhere meanwhile
        envelope = self._envelope(scope, headers, client.label, began, body)
        out = Outflow(client, self._endings)
        asked = self._driver.ask(to.deployment, envelope, out.ended, heard=out.heard)
        self._note_if_repeatable(asked, scope["method"], body)
        left = partial(self._driver.hang_up, asked)
        try:
            async with self._following(scope, receive, asked, out, body):
                return await out.carry(self._driver, asked)
        finally:
            out.close()
            if not out.is_complete:  # else the application goes on by itself
                left()

    @contextlib.asynccontextmanager
    async def _following(
        self, scope: Scope, receive: Receive, asked: Asked, out: Outflow, body: Body
    ) -> AsyncIterator[None]:
        """Hear of the client that leaves, and pass on what it sends, while it is answered."""

        def left() -> None:
            if not out.is_complete:
                self._driver.hang_up(asked)

        connection = connection_of(scope)
        async with contextlib.AsyncExitStack() as stack:
            if connection is not None:
                connection.on_lost = left
                stack.callback(setattr, connection, "on_lost", None)
                if connection.lost:
                    left()
            elif not body.more:
                await stack.enter_async_context(watched(receive, left))
            if body.more:
                await stack.enter_async_context(self._uploading(receive, asked, out, left))
            yield

    @contextlib.asynccontextmanager
    async def _uploading(
        self, receive: Receive, asked: Asked, out: Outflow, left: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Pass the body on as it is wanted; what is wrong with it is the answer."""
        to = self._to
        pace = replace(self._ways.pace, most_bytes=to.limits.max_body_bytes)
        appetite = Appetite(self._feeding, asked, to.region)

        async def carry() -> None:
            try:
                await Upload(receive, pace).carry(appetite, left)
            except HeadraceError as error:
                out.refuse(error)
                self._driver.hang_up(asked)

        task = asyncio.create_task(carry())
        try:
            yield
        finally:
            appetite.close()
            task.cancel()
            await asyncio.wait([task])

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> Body:
        """Read a small body; one that is long, or of unknown length, comes later."""
        length = declared(headers.get(b"content-length"))
        if length is None:
            return Body(b"", more=b"transfer-encoding" in headers)
        if length > self._to.limits.max_body_bytes:
            raise too_large(self._to.limits.max_body_bytes)
        if length >= SMALL_BYTES:
            return Body(b"", more=True)
        return Body(await self._small(receive, length), more=False)

    async def _small(self, receive: Receive, length: int) -> bytes:
        if not length:
            return b""
        parts: list[bytes] = []
        upload = Upload(receive, self._ways.pace)
        more = True
        while more:
            event = await upload.next()
            if event["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(event.get("body", b""))
            more = bool(event.get("more_body"))
        return b"".join(parts)

    def _note_if_repeatable(self, asked: Asked, method: str, body: Body) -> None:
        """Say whether a crash may be followed by a second run; see the option `retry_on_crash`."""
        asked_for = self._to.traits.repeats
        if body.more:
            self._feeding.repeats(asked, allowed=False)  # what was read of it is gone
        elif asked_for is None and method in SAFE:
            self._feeding.repeats(asked, allowed=True)

    # --- WebSocket -------------------------------------------------------------------------

    async def _converse(self, scope: Scope, receive: Receive, send: Send, label: bytes) -> int:
        began = time.monotonic()
        socket = Socket(scope, receive, send, label)
        if (await receive())["type"] == LEFT:
            return CLIENT_LEFT
        headers = dict(scope["headers"])
        try:
            to = self._open()
            if to.limits.keys is not None:
                to.limits.keys.admit(scope, headers)
            envelope = self._envelope(scope, headers, label, began, Body(b"", more=False))
            asked = self._driver.ask(to.deployment, envelope, socket.ended, heard=socket.heard)
        except HeadraceError as error:
            return await socket.refuse(error)
        appetite = Appetite(self._feeding, asked, to.region)
        try:
            return await socket.carry(self._driver, asked, appetite, to.traits.cancel_grace_s)
        finally:
            appetite.close()
            self._driver.hang_up(asked)  # no news if it has ended

    # --- both ------------------------------------------------------------------------------

    def _open(self) -> Leads:
        if self._is_closed:
            raise Refused("a reload is replacing this application", retry_after_s=AGAIN_S)
        return self._to

    def _envelope(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        label: bytes,
        began: float,
        body: Body,
    ) -> Envelope:
        timeout_s = self._to.limits.timeout_s
        if DEADLINE in headers and not self._ways.is_patient:
            timeout_s = min(timeout_s, seconds_of(headers[DEADLINE]))
        media = headers.get(b"content-type")
        return Envelope(
            label.decode(),
            began + timeout_s,
            1,
            None if media is None else media.decode("latin-1"),
            body.data,
            head_of(scope, label, headers, more=body.more),
            model_id=model_id_of(headers) if self._to.traits.multiplexed else "",
        )


class Leads(NamedTuple):
    """Where an endpoint leads."""

    deployment: DeploymentId
    limits: Limits
    traits: Traits
    region: Region | None


def head_of(scope: Scope, label: bytes, headers: dict[bytes, bytes], *, more: bool) -> Head:
    """Return what an application is to know of a request; its id stands in the headers."""
    passed = list(scope["headers"])
    if headers.get(LABEL) != label:
        passed = [*(header for header in passed if header[0] != LABEL), (LABEL, label)]
    return Head(
        scope.get("method", "GET"),
        scope["path"],
        scope["query_string"],
        passed,
        _address(scope.get("client")),
        scope.get("root_path", ""),
        scope.get("scheme", "http"),
        scope.get("http_version", "1.1"),
        scope["type"],
        more,
        list(scope.get("subprotocols") or ()),
        scope.get("raw_path") or b"",
        _address(scope.get("server")),
    )


def _address(pair: tuple[str, int | None] | None) -> str:
    return f"{pair[0]}:{pair[1] or ''}" if pair else ""
