"""The path of one request to a model: read, ask, answer. This is the hot path of the server.

The body stays bytes, and what the model does not ask for is not sent to it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from functools import partial

from headrace.core.messages import DeploymentId
from headrace.errors import BadRequest, HeadraceError, MethodNotAllowed, Refused
from headrace.host.connection import Connection
from headrace.http.body import ClientLeft, declared, too_large
from headrace.http.hangup import connection_of, cut_off, followed
from headrace.http.intake import BodyLanding, Intake
from headrace.http.jobs_prefer import PREFER
from headrace.http.keys import Keys
from headrace.http.labels import label_of
from headrace.http.messages import App, Receive, Scope, Send, respond
from headrace.http.responses import CLIENT_LEFT, response_of
from headrace.http.streaming import Sent, Streams
from headrace.memory.arena import Region
from headrace.memory.slots import Slot, length_of
from headrace.model.envelope import Envelope, Head
from headrace.model.kinds import Kind
from headrace.runtime.asked import Ending
from headrace.runtime.driver import Driver
from headrace.runtime.metrics import Endings

log = logging.getLogger("headrace.http")
AGAIN_S = 1.0
DEADLINE = b"x-request-timeout-seconds"
MODEL_ID, LONGEST_MODEL_ID = b"x-headrace-model-id", 256
_OK = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %s\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one endpoint allows."""

    timeout_s: float = 60.0
    max_body_bytes: int = 64 << 20
    keys: Keys | None = None
    """What opens it; None for everybody."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is to be known of the model behind an endpoint."""

    wants_head: bool = False
    """It reads headers or path."""
    streams: bool = False
    """Its answers come in parts."""
    kind: Kind = "model"
    repeats: bool | None = None
    """Whether requests are run again after a crash, where somebody said so."""
    cancel_grace_s: float = 5.0
    """How long an application may go on whose client has left a WebSocket."""
    multiplexed: bool = False
    """Requests may say which of its models they are for."""


class ModelEndpoint:
    """One deployment's route.

    Two ways lead through it. `take` is the express lane of our own protocol: a small request is
    there as a whole, so no task, no future and no ASGI message is made for it. Everything else,
    every answer in parts, and every request under a foreign server, comes by ASGI.
    """

    least_length = 0  # one without a body is refused, which ASGI words

    def __init__(
        self,
        driver: Driver,
        deployment: DeploymentId,
        endings: Endings,
        *,
        limits: Limits,
        traits: Traits,
        region: Region | None = None,
    ) -> None:
        """Large bodies go into `region`, if there is one."""
        self._driver, self._endings = driver, endings
        self.deferred: App | None = None
        """Where requests go by ASGI that have preferences, for one is to be answered later."""
        self.lead_to(deployment, limits=limits, traits=traits, region=region)

    def lead_to(
        self, deployment: DeploymentId, *, limits: Limits, traits: Traits, region: Region | None
    ) -> None:
        """Ask this deployment from now on, also for requests whose bodies are on their way."""
        driver, self._deployment, self._is_closed = self._driver, deployment, False
        self._limits, self._wants_head = limits, traits.wants_head
        self._multiplexed = traits.multiplexed
        self._streams = Streams(driver, deployment, self._endings) if traits.streams else None
        self._intake = Intake(driver, deployment, region, limits.max_body_bytes)

    def close(self) -> None:
        """Lead nowhere from now on: there is no model behind it, or not yet another one."""
        self._is_closed = True

    # --- the express lane ------------------------------------------------------------------

    def take(self, scope: Scope, body: bytes, connection: Connection) -> None:
        """Answer one whole request through its connection."""
        if self._streams is None:
            self._answer(scope, body, connection, time.monotonic())
        else:  # since its first byte came, a reload has made it a model that streams
            connection.run(self)

    def land(self, scope: Scope, length: int, connection: Connection) -> BodyLanding | None:
        """Make a place for a large body; None for what is to be refused, which ASGI words."""
        if scope["method"] != "POST" or (self.deferred and PREFER in dict(scope["headers"])):
            return None
        answer = partial(self._answer, scope, connection=connection, began=time.monotonic())
        try:
            if self._limits.keys is not None:
                self._limits.keys.check(dict(scope["headers"]))
            return BodyLanding(self._intake.begin(length), answer)
        except HeadraceError:
            return None

    def _answer(
        self, scope: Scope, body: bytes | Slot, connection: Connection, began: float
    ) -> None:
        headers = dict(scope["headers"])
        if PREFER in headers and self.deferred is not None and type(body) is bytes:
            connection.run(self.deferred)
            return
        label = label_of(headers.get(b"x-request-id"))
        ended = partial(self._ended, scope, connection, label, began)
        try:
            if self._limits.keys is not None:
                self._limits.keys.admit(scope, headers)
            envelope = self._envelope(scope, headers, label, began, body)
            self._check_whole()
            asked = self._driver.ask(self._deployment, envelope, ended)
        except HeadraceError as error:
            ended(error)
        except Exception:  # the parser that calls us would take it for bad HTTP, and tell nobody
            log.exception("request %s: a bug in Headrace", label.decode())
            ended(HeadraceError("an error of the server's own; its log has it under this request"))
        else:
            connection.on_lost = partial(self._driver.hang_up, asked)

    def _ended(
        self, scope: Scope, connection: Connection, label: bytes, began: float, ending: Ending
    ) -> None:
        connection.on_lost = None
        if type(ending) is bytes:
            status = 200
            connection.respond(scope, 200, _OK % (len(ending), label), ending)
        elif ending is None:
            status = CLIENT_LEFT
        else:
            response = response_of(ending, label)
            status = response.status
            connection.respond(scope, status, response.lines(label), response.body)
        self._endings.count(status, time.monotonic() - began)

    # --- by ASGI ---------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.monotonic()
        headers = dict(scope["headers"])
        label = label_of(headers.get(b"x-request-id"))
        ending: Ending | Sent
        try:
            if self._limits.keys is not None:
                self._limits.keys.admit(scope, headers)
            _check_method(scope)
            body = await self._intake.read(receive, declared(headers.get(b"content-length")))
            envelope = self._envelope(scope, headers, label, began, body)
            if self._streams is None:
                ending = await self._ask(envelope, scope, receive)
            else:
                ending = await self._streams.carry(envelope, scope, receive, send)
        except HeadraceError as error:
            ending = error
        except ClientLeft:
            ending = None
        sent = ending if isinstance(ending, Sent) else await _send_whole(ending, send, label)
        connection = connection_of(scope)
        was_lost = connection is not None and connection.lost
        status = CLIENT_LEFT if was_lost else sent.status
        self._endings.count(status, time.monotonic() - began)
        if sent.cut:
            await cut_off(scope)

    async def _ask(self, envelope: Envelope, scope: Scope, receive: Receive) -> Ending:
        """Wait for the ending as long as the client does."""
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

        def ended(ending: Ending) -> None:
            if not future.done():
                future.set_result(ending)

        asked = self._driver.ask(self._deployment, envelope, ended)
        left = partial(self._driver.hang_up, asked)
        try:
            async with followed(scope, receive, left):
                return await future
        finally:
            left()  # no news if it has ended; the task itself may have been cancelled

    def _check_whole(self) -> None:
        if self._streams is not None:  # an answer in parts needs ASGI, and the body is past that
            raise Refused("the model was reloaded while the body came", retry_after_s=AGAIN_S)

    def _envelope(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        label: bytes,
        began: float,
        body: bytes | Slot,
    ) -> Envelope:
        _check_method(scope)
        if self._is_closed:
            raise Refused("a reload is replacing this model", retry_after_s=AGAIN_S)
        timeout_s = self._limits.timeout_s
        if DEADLINE in headers:
            timeout_s = min(timeout_s, seconds_of(headers[DEADLINE]))
        if length_of(body) > self._limits.max_body_bytes:
            raise too_large(self._limits.max_body_bytes)
        media = headers.get(b"content-type")
        return Envelope(
            label.decode(),
            began + timeout_s,
            1,
            None if media is None else media.decode("latin-1"),
            body,
            head_of(scope) if self._wants_head else None,
            None,
            model_id_of(headers) if self._multiplexed else "",
        )


async def _send_whole(ending: Ending, send: Send, label: bytes) -> Sent:
    """Send an ending as one response; None is of a client that left."""
    if ending is None:
        return Sent(CLIENT_LEFT)
    response = response_of(ending, label)
    await respond(send, response, label)
    return Sent(response.status)


def _check_method(scope: Scope) -> None:
    if scope["method"] != "POST":
        raise MethodNotAllowed(f"a model takes POST, not {scope['method']}", allow="POST")


def seconds_of(given: bytes) -> float:
    """Read a number of seconds. Raises BadRequest."""
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise BadRequest("X-Request-Timeout-Seconds is not a positive number of seconds")
    return seconds


def model_id_of(headers: dict[bytes, bytes]) -> str:
    """Read which model is asked for; empty for none. Raises BadRequest."""
    given = headers.get(MODEL_ID, b"")
    if len(given) > LONGEST_MODEL_ID or not given.isascii() or not given.decode().isprintable():
        raise BadRequest(
            f"X-Headrace-Model-Id is not a name of at most {LONGEST_MODEL_ID} printable characters"
        )
    return given.decode()


def head_of(scope: Scope) -> Head:
    """Return what a model may know of a request."""
    client = scope.get("client")
    return Head(
        scope["method"],
        scope["path"],
        scope["query_string"],
        list(scope["headers"]),
        f"{client[0]}:{client[1]}" if client else "",
        scope.get("root_path", ""),
        scope.get("scheme", "http"),
        scope.get("http_version", "1.1"),
    )
