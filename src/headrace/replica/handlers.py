"""A plain class or function as an endpoint: what it takes of a request, what becomes of its result.

it takes              a Starlette Request; nothing; the content of the body, as annotations say
str                   text/plain
a Response            as it is, streams and files too
a generator           text/plain item by item; server-sent events where Accept asks for them
bytes                 application/octet-stream
anything else         JSON
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from msgspec.structs import replace

from headrace.errors import ConfigError
from headrace.model.adapters import Encode
from headrace.model.answers import answer_of_handler, answerer, opened
from headrace.model.arguments import Arguments, Unresolved, read_arguments
from headrace.model.bodies import Body, body_of
from headrace.model.codec import Reader
from headrace.model.context import Context
from headrace.model.envelope import Answer, Closed, Fault, Head, Opened, Reply
from headrace.model.faults import fault_of
from headrace.model.media import EVENTS, media_type
from headrace.model.results import encode_of
from headrace.model.sizes import bounded
from headrace.model.streaming import form_of, wished
from headrace.model.types import is_request
from headrace.model.waiting import came_by_itself
from headrace.replica.asgi import request_of
from headrace.replica.asgi_http import HttpExchange
from headrace.replica.asgi_types import App
from headrace.replica.exchange import ClientGone, Exchange
from headrace.replica.worked import Pool, is_quick, is_stream, items_of, result_of

CALL = "__call__"
SHAPE = "raw_headers"
"""What tells Starlette's Response, so that nobody imports Starlette to compare."""


class Handler:
    """A class's object, or a function, that answers requests by being called."""

    def __init__(self, target: Callable[..., Any], pool: Pool) -> None:
        """Read what it takes; one that no request can call says so to who tries."""
        self._name = target.__qualname__
        self._pool = pool
        self._hook = f"{self._name}.{CALL}" if isinstance(target, type) else self._name
        self._why_not = ""
        self._body: Body | None = None
        self._is_quick = is_quick(getattr(target, CALL) if isinstance(target, type) else target)
        self._context_word: str | None = None
        self._write: Callable[[Any, Context], bytes | Answer] = answer_of_handler
        try:
            self._read(target)
        except ConfigError as error:
            self._why_not = f"{self._name} takes calls through handles only: {error}"

    def _read(self, target: Callable[..., Any]) -> None:
        cls = _as_class(target)
        if not any(CALL in vars(base) for base in cls.__mro__):
            raise ConfigError("it has no `__call__(self, request)`")
        arguments = read_arguments(cls, CALL, many=False)
        self._context_word = arguments.context
        if not _takes_request(arguments):
            self._body = body_of(cls, arguments)
        encode: Encode | None = encode_of(cls, CALL, last=True)
        if encode is not None:
            self._write = answerer(encode)

    @property
    def read(self) -> Reader | None:
        """What reads the content of a body; None where it takes the request itself."""
        return None if self._body is None else self._body.read

    async def serve(self, exchange: Exchange, thing: Any, scope: Any) -> Reply:
        """Answer one request; what it raises becomes a fault."""
        head = exchange.envelope.head
        if self._why_not or head is None or head.kind != "http":
            return Fault(501, "not_implemented", self._why_not or f"{self._name} takes HTTP only")
        try:
            return await self._serve(exchange, thing, scope, head)
        except ClientGone:
            return Closed()
        except Exception as error:  # noqa: BLE001 - the client waits, and hears of it
            return fault_of(error, self._hook, [exchange.context])
        except asyncio.CancelledError as error:
            if not came_by_itself(error):
                raise
            return fault_of(error, self._hook, [exchange.context])

    async def _serve(self, exchange: Exchange, thing: Any, scope: Any, head: Head) -> Reply:
        http = HttpExchange(exchange, head)
        output = await self._call(exchange, http, thing, scope)
        if is_stream(output):
            return await self._stream(exchange, output)
        if hasattr(output, SHAPE) and callable(output):
            app: App = output
            return await http.run(app, scope)
        return bounded(self._write(output, exchange.context))

    async def _call(self, exchange: Exchange, http: HttpExchange, thing: Any, scope: Any) -> Any:
        body, context = self._body, exchange.context
        if body is None:
            request = request_of(scope, http.receive, http.send)
            words = {} if self._context_word is None else {self._context_word: context}
            call = partial(thing, request, **words)
        else:
            envelope = exchange.envelope
            if envelope.head is not None and envelope.head.more:
                envelope = replace(envelope, payload=await _whole(http))
            call = partial(body.call, thing, body.read(envelope), context)
        return await result_of(call, self._pool, on_loop=self._is_quick)

    async def _stream(self, exchange: Exchange, output: Any) -> Reply:
        form = None
        async with aclosing(items_of(output, self._pool)) as items:
            async for item in items:
                if form is None:
                    wish = wished(exchange.envelope)
                    form = form_of(wish, "", exchange.context, item)
                    await exchange.put(_opened(exchange.context, form.content_type))
                part = form.frame(item)
                bounded(part)
                await exchange.put(part)
        if form is None:
            form = form_of(wished(exchange.envelope), "text/plain", exchange.context, None)
            await exchange.put(_opened(exchange.context, form.content_type))
        if form.end:
            await exchange.put(form.end)
        return Closed()


def _opened(context: Context, content_type: str) -> Opened:
    """Begin a stream that no proxy is to hold back. Raises CannotAnswer."""
    start = opened(context, content_type)
    names = {name.lower() for name, _ in start.headers}
    more = [("x-accel-buffering", "no")]
    if media_type(content_type) == EVENTS:
        more.append(("cache-control", "no-cache"))
    headers = [*start.headers, *(header for header in more if header[0] not in names)]
    return Opened(start.status, start.content_type, headers)


def _as_class(target: Callable[..., Any]) -> type:
    """Return a class whose `__call__` is the handler: our readers of annotations read classes."""
    if isinstance(target, type):
        return target
    return type(target.__qualname__, (), {CALL: staticmethod(target)})


def _takes_request(arguments: Arguments) -> bool:
    """Tell whether it takes the request itself: what has no annotation does, too."""
    if not arguments.data or any(other.required for other in arguments.data[1:]):
        return False
    annotation = arguments.data[0].annotation
    if isinstance(annotation, Unresolved):  # imported under TYPE_CHECKING, most likely
        return annotation.text.rpartition(".")[2] == "Request"
    return annotation is Any or is_request(annotation)


async def _whole(http: HttpExchange) -> bytes:
    """Read a body that comes in pieces, to its end."""
    pieces: list[bytes] = []
    more = True
    while more:
        event = await http.receive()
        if event["type"] == "http.disconnect":
            raise ClientGone("the client left while it sent its body")
        pieces.append(event["body"])
        more = event["more_body"]
    return b"".join(pieces)
