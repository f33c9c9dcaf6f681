"""A client of streams over a bare socket: it sees what comes, when, and how it ends."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Self

HEAD_END = b"\r\n\r\n"


class CutOff(Exception):
    """The connection ended before the answer did."""


class Line:
    """One connection; `ask` sends a request, `parts` gives its answer as it comes."""

    def __init__(
        self, port: int, patience_s: float = 10.0, *, tls: ssl.SSLContext | None = None
    ) -> None:
        sock = socket.create_connection(("127.0.0.1", port), patience_s)
        self._sock = sock if tls is None else tls.wrap_socket(sock, server_hostname="127.0.0.1")
        self._rest = b""
        self.status = 0
        self.headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def ask(
        self, path: str, body: Any, *, accept: str = "", version: str = "1.1", **more: str
    ) -> Self:
        """Send a request and read the head of its answer."""
        self.send(path, body, accept=accept, version=version, **more)
        return self.read_head()

    def read_head(self) -> Self:
        """Read the head of the next answer."""
        head = self._until(HEAD_END).decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.split(": ", 1) for line in lines)
        self.headers = {name.lower(): text for name, text in pairs}
        return self

    def send(
        self, path: str, body: Any, *, accept: str = "", version: str = "1.1", **more: str
    ) -> None:
        """Send a request, and read nothing."""
        payload = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/{version}", "Host: x", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(payload)}"]
        lines += [f"Accept: {accept}"] if accept else []
        lines += [f"{name.replace('_', '-')}: {text}" for name, text in more.items()]
        self._sock.sendall("\r\n".join(lines).encode() + HEAD_END + payload)

    def parts(self) -> Iterator[bytes]:
        """Give each piece of the answer as it comes. Raises CutOff."""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                yield self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        elif "content-length" in self.headers:
            yield self._exactly(int(self.headers["content-length"]))
        else:
            yield self._rest
            while piece := self._piece():
                yield piece

    def whole(self) -> bytes:
        """Read to the end. Raises CutOff."""
        return b"".join(self.parts())

    def leave(self) -> None:
        self._sock.close()

    def is_over(self) -> bool:
        """Whether the server has closed the connection."""
        try:
            return not self._sock.recv(1)
        except ConnectionError:
            return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        found, _, self._rest = self._rest.partition(mark)
        return found + mark

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._rest += self._more()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _more(self) -> bytes:
        if piece := self._piece():
            return piece
        raise CutOff("it was closed")

    def _piece(self) -> bytes:
        try:
            return self._sock.recv(1 << 16)
        except ConnectionError as error:
            raise CutOff(str(error)) from error


def events(text: str) -> list[tuple[str, str]]:
    """Read a stream of events as a browser's EventSource does: type and data of each."""
    found, kind, lines = [], "", list[str]()
    for line in text.split("\n"):
        field, _, value = line.partition(":")
        if not line:
            if lines:
                found.append((kind or "message", "\n".join(lines)))
            kind, lines = "", []
        elif field == "event":
            kind = value.removeprefix(" ")
        elif field == "data":
            lines.append(value.removeprefix(" "))
    return found
