"""The digits that the forest is asked about, and whether its answers are right."""

import http.client
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from harness.questions import JSON, Question
from harness.results import Accuracy
from harness.serving import HOST, LOGS, ROUTE, Server

CLIENTS = 64

Share = tuple[tuple[bytes, int], ...]


@cache
def known() -> Share:
    """Return every image as the body of a request, with the digit that it shows."""
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    bodies = (json.dumps(image.tolist()).encode() for image in pixels)
    return tuple(zip(bodies, digits.tolist(), strict=True))


def question() -> Question:
    """Return the first digit as a question, and all of them for wrk."""
    body, digit = known()[0]
    script = ("forest.lua", str(_written()))
    return Question(body, lambda answer: bool(json.loads(answer)["digit"] == digit), script=script)


def examine(server: Server) -> Accuracy:
    """Ask about every digit, from as many clients at once as a batch can hold."""
    shares = [known()[start::CLIENTS] for start in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        right = sum(clients.map(lambda share: _right(server.port, share), shares))
    return Accuracy(server.contender.name, len(known()), right)


def _right(port: int, share: Share) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        return sum(_told(connection, body) == digit for body, digit in share)
    finally:
        connection.close()


def _told(connection: http.client.HTTPConnection, body: bytes) -> int | None:
    connection.request("POST", ROUTE, body, {"Content-Type": JSON})
    answer = connection.getresponse()
    told = answer.read()
    return int(json.loads(told)["digit"]) if answer.status == http.client.OK else None


def _written() -> Path:
    LOGS.mkdir(exist_ok=True)
    path = LOGS / "digits.txt"
    own = path.with_suffix(f".{os.getpid()}")  # whole at once: another bench may be reading it
    own.write_bytes(b"".join(body + b"\n" for body, _ in known()))
    return own.replace(path)
