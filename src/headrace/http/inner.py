"""What goes between app workers and the engine worker beside them: jobs, and requests about jobs.

At the engine worker's end, `InnerSubmit` takes what code submits. At an app worker's, `Inwards` has
the engine worker answer what clients ask about jobs. It asks in HTTP/1.0, so that a body ends with
its connection, and a client that leaves is told to the other end by closing it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from headrace.host.inner import MEDIA
from headrace.http.body import too_large
from headrace.http.labels import label_of
from headrace.http.messages import Headers, Receive, Response, Scope, Send, respond
from headrace.http.problems import from_error, problem
from headrace.model.envelope import Reply
from headrace.model.submit import Wanted

HEAD_BYTES = 1 << 16
READ_BYTES = 1 << 16
LABEL = b"x-request-id"
HOPS = frozenset(
    {
        *(b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"expect", b"content-length", b"proxy-authorization", b"proxy-connection"),
    }
)
OWN = frozenset({b"connection", b"date", b"server", b"transfer-encoding", b"keep-alive"})
"""Headers of a response that are each connection's own."""
_wanted = msgspec.msgpack.Decoder(Wanted)
_encode = msgspec.msgpack.Encoder().encode


class Gone(Exception):
    """There is no engine worker, or it ended before it answered."""


class InnerSubmit:
    """Takes one job, in msgpack; nobody but our own app workers can ask."""

    def __init__(self, reply: Callable[[Wanted], Awaitable[Reply]]) -> None:
        """`reply` writes it down."""
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `App`."""
        label = label_of(dict(scope["headers"]).get(LABEL))
        try:
            wanted = _wanted.decode(await _body(receive, None))
        except msgspec.DecodeError as error:
            await respond(send, problem(400, "bad_request", str(error), label.decode()), label)
            return
        reply = await self._reply(wanted)
        headers = [(b"content-type", MEDIA.encode())]
        await respond(send, Response(200, _encode(reply), headers), label)


class Inwards:
    """Has the engine worker answer a request."""

    def __init__(self, path: str, most_bytes: int) -> None:
        """`path` is the inner socket's; no body is longer than `most_bytes`."""
        self._path, self._most = path, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `App`."""
        label = label_of(dict(scope["headers"]).get(LABEL))
        try:
            body = await _body(receive, self._most)
        except ValueError:
            await respond(send, from_error(too_large(self._most), label.decode()), label)
            return
        leaving = asyncio.create_task(_left(receive))
        passing = asyncio.create_task(self._pass(scope, body, label, send))
        try:
            await asyncio.wait((leaving, passing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (leaving, passing):
                task.cancel()
            await asyncio.wait((leaving, passing))
        if not passing.cancelled():
            passing.result()

    async def _pass(self, scope: Scope, body: bytes, label: bytes, send: Send) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=HEAD_BYTES)
        except OSError:
            await _unanswered(send, label)
            return
        try:
            writer.write(_head(scope, label, len(body)) + body)
            status, headers = await _answer(reader)
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await send(start)
            while part := await reader.read(READ_BYTES):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except Gone:
            await _unanswered(send, label)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _body(receive: Receive, most: int | None) -> bytes:
    """Read a body. Raises ValueError for one that is longer than `most`."""
    whole, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        whole += message.get("body", b"")
        more = message.get("more_body", False)
        if most is not None and len(whole) > most:
            raise ValueError(most)
    return bytes(whole)


async def _left(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(scope: Scope, label: bytes, length: int) -> bytes:
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    kept = [each for each in scope["headers"] if each[0] not in HOPS and each[0] != LABEL]
    headers = [*kept, (LABEL, label), (b"content-length", b"%d" % length)]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    method = scope["method"].encode()
    return b"%s %s%s HTTP/1.0\r\n%s\r\n" % (method, path.partition(b"?")[0], query, lines)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Headers]:
    """Read the head of a response. Raises Gone where none comes."""
    try:
        said = await reader.readuntil(b"\r\n\r\n")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Gone from error
    first, *lines = said[:-4].split(b"\r\n")
    found = [line.partition(b":") for line in lines]
    headers = [(name.lower(), value.strip()) for name, _, value in found]
    return int(first.split(b" ")[1]), [each for each in headers if each[0] not in OWN]


async def _unanswered(send: Send, label: bytes) -> None:
    """Say that nobody is there to ask: who was killed is back in a moment."""
    detail = "the worker that has the jobs is not there; it is being started again"
    response = problem(503, "refused", detail, label.decode())
    response.headers.append((b"retry-after", b"1"))
    await respond(send, response, label)
