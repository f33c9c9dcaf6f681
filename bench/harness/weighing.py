"""How a server's memory goes over many large bodies: a bare socket loop that counts exactly."""

import socket
from contextlib import ExitStack

from harness.duels import Effort, Tell
from harness.errands import BACK, MB
from harness.processes import memory_bytes, pss_bytes
from harness.questions import Question
from harness.results import Curve, Scene, Weight
from harness.serving import HOST, ROUTE, Server, Unavailable, serving
from harness.venvs import CannotInstall

REQUESTS, EVERY, CONNECTIONS = 1000, 50, 4
LONE = Scene(1, batched=False)
HEAD_END, LENGTH, PIECE = b"\r\n\r\n", b"content-length:", 1 << 20


def curve(name: str, effort: Effort, tell: Tell, requests: int = REQUESTS) -> Curve:
    """Send 10 MB there and back so many times, and look at the memory every 50 requests."""
    try:
        with serving(BACK.enlist(name, LONE, effort.base)) as server:
            weights = weigh(server, requests)
    except (CannotInstall, Unavailable) as error:
        tell(f"  skipped: {error}")
        return Curve(name, note=f"skipped: {error}")
    last = weights[-1]
    found = Curve(name, weights)
    slope = found.slope(lambda weight: weight.worker_pss_mb)
    growth = "" if slope is None else f", {slope:+.2f} MB per 100"
    tell(f"  {name}: worker {last.worker_pss_mb:.0f} MB, all {last.all_pss_mb:.0f} MB{growth}")
    return found


def weigh(server: Server, requests: int) -> list[Weight]:
    """Send so many bodies; look at the memory before them, then after every 50.

    Raises Unavailable at a wrong answer.
    """
    worker = server.worker()
    if worker is None:
        raise Unavailable(f"{server.contender.label} closes its connections")
    weights = []
    with ExitStack() as opened:
        address = (HOST, server.port)
        lines = [
            opened.enter_context(socket.create_connection(address, timeout=30))
            for _ in range(CONNECTIONS)
        ]
        for done in range(0, requests + 1, EVERY):
            if done:
                _send(lines, server.contender.question, EVERY)
            pss, uss = memory_bytes(worker.pid)
            everyone = pss_bytes(server.family())
            weights.append(Weight(done, *(round(each / MB, 2) for each in (pss, uss, everyone))))
    return weights


def _send(lines: list[socket.socket], question: Question, requests: int) -> None:
    """Send so many requests, as many at a time as there are connections; check each answer."""
    head = (
        f"POST {ROUTE} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {question.media_type}\r\n"
        f"Content-Length: {len(question.body)}\r\n\r\n"
    ).encode()
    for start in range(0, requests, len(lines)):
        busy = lines[: requests - start]
        for line in busy:
            line.sendall(head)
            line.sendall(question.body)
        for line in busy:
            status, body = receive(line)
            if status != 200 or not question.right(body):
                raise Unavailable(f"a large body got {status} with {len(body)} bytes")


def receive(line: socket.socket) -> tuple[int, bytes]:
    """Read one answer that says its length.

    Raises Unavailable when it does not, or the connection ends.
    """
    head, body = b"", bytearray()
    while HEAD_END not in head:
        head += _piece(line)
    head, _, first = head.partition(HEAD_END)
    said, *fields = head.split(b"\r\n")
    lengths = [int(field[len(LENGTH) :]) for field in fields if field.lower().startswith(LENGTH)]
    if not lengths:
        raise Unavailable("an answer without a length")
    body += first
    while len(body) < lengths[0]:
        body += _piece(line)
    return int(said.split()[1]), bytes(body)


def _piece(line: socket.socket) -> bytes:
    if piece := line.recv(PIECE):
        return piece
    raise Unavailable("the connection ended within an answer")
