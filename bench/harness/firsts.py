"""How long one client waits for the first item of a stream, and for its last."""

import socket
import time

from harness.questions import Question
from harness.serving import HOST, ROUTE, Server, Unavailable

HEAD_END, LAST = b"\r\n\r\n", b"\r\n0\r\n\r\n"
TIMES = 40  # a turn


def listen(server: Server, times: int = TIMES) -> list[tuple[float, float]]:
    """Ask for so many streams, one after the other; return the milliseconds to both ends of each.

    Raises Unavailable at a wrong answer.
    """
    with socket.create_connection((HOST, server.port), timeout=30) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return [heard(line, server.contender.question) for _ in range(times)]


def heard(line: socket.socket, question: Question) -> tuple[float, float]:
    """Ask for one stream; return the milliseconds to its first item and to its end.

    Raises Unavailable at a wrong answer.
    """
    request = (
        f"POST {ROUTE} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {question.media_type}\r\n"
        f"Content-Length: {len(question.body)}\r\n\r\n"
    ).encode() + question.body
    began = time.perf_counter()
    line.sendall(request)
    came = _piece(line)
    while not came.partition(HEAD_END)[2]:
        came += _piece(line)
    first_ms = (time.perf_counter() - began) * 1e3
    while not came.endswith(LAST):
        came += _piece(line)
    whole_ms = (time.perf_counter() - began) * 1e3
    head, _, body = came.partition(HEAD_END)
    if not head.startswith(b"HTTP/1.1 200 ") or not question.right(unchunked(body)):
        raise Unavailable(f"a stream began with {head[:60]!r} and was {len(body)} bytes long")
    return first_ms, whole_ms


def unchunked(body: bytes) -> bytes:
    """Return what the chunks of a whole body hold."""
    parts = []
    while (size := int(body[: (start := body.index(b"\r\n") + 2)], 16)) > 0:
        parts.append(body[start : start + size])
        body = body[start + size + 2 :]
    return b"".join(parts)


def _piece(line: socket.socket) -> bytes:
    if piece := line.recv(1 << 16):
        return piece
    raise Unavailable("the connection ended within a stream")
