"""Ask one server over HTTP, from any thread; connections are kept, and used again."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from headrace.errors import ConfigError, Unreachable

MOST_IDLE = 8
NO_CONTENT = 204
LENGTHS = {"content-length", "transfer-encoding"}
"""One of them stands in every response of ours that has a body, behind all other headers."""
Failed = (OSError, http.client.HTTPException)
"""What tells that a request came to nothing, or nobody knows to what."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The connections to one server: `http://host:port/prefix`, `https://...`, `unix:/path`."""

    def __init__(self, url: str, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        """Connect when first asked. Raises ConfigError."""
        self._timeout_s, self._tls = timeout_s, tls
        self._unix, self._prefix = "", ""
        self._idle: list[http.client.HTTPConnection] = []
        self._lock, self._is_closed = threading.Lock(), False
        if url.startswith("unix:"):
            self._unix = url.removeprefix("unix:").removeprefix("//")
        parts = urlsplit(url)
        if not self._unix and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ConfigError(f"{url} is no URL of a server: write http://host:port or unix:/path")
        self.url, self._parts = url, parts
        if not self._unix:
            self._prefix = parts.path.rstrip("/")

    def ask(self, question: Question, timeout_s: float | None = None) -> Reply:
        """Return the whole response. Raises OSError, HTTPException."""
        connection = self._take()
        try:
            response = self._begin(connection, question, timeout_s)
            reply = Reply(response.status, _headers(response), response.read())
            _check_whole(reply)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, may_stay=not response.will_close)
        return reply

    @contextmanager
    def open(self, question: Question, timeout_s: float) -> Iterator[http.client.HTTPResponse]:
        """Give a response to be read as it comes. Raises OSError, HTTPException."""
        connection = self._connection()
        try:
            yield self._begin(connection, question, timeout_s)
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of what is kept; who asks now is refused."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _begin(
        self,
        connection: http.client.HTTPConnection,
        question: Question,
        timeout_s: float | None,
    ) -> http.client.HTTPResponse:
        seconds = self._timeout_s if timeout_s is None else timeout_s
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        path = self._prefix + question.path
        connection.request(question.method, path, question.body, dict(question.headers))
        return connection.getresponse()

    def _take(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._is_closed:
                raise Unreachable("this client is closed")
            while self._idle:
                connection = self._idle.pop()
                if _is_fresh(connection):
                    return connection
                connection.close()
        return self._connection()

    def _give_back(self, connection: http.client.HTTPConnection, *, may_stay: bool) -> None:
        with self._lock:
            if may_stay and not self._is_closed and len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port, timeout_s = self._parts.hostname or "", self._parts.port, self._timeout_s
        if self._unix:
            return OverUnix(self._unix, timeout_s)
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        context = self._tls or ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


class OverUnix(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except BaseException:
            self.close()
            raise


def lines_of(response: http.client.HTTPResponse) -> Iterator[str]:
    """Yield the lines of a response as they come."""
    while line := response.readline():
        yield line.decode()


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _check_whole(reply: Reply) -> None:
    """Raise IncompleteRead for a head that was cut off, which the library takes for a short one."""
    if reply.status != NO_CONTENT and not LENGTHS & reply.headers.keys():
        raise http.client.IncompleteRead(reply.body)


def _is_fresh(connection: http.client.HTTPConnection) -> bool:
    """Tell whether its server has not closed it meanwhile: then nothing is to be read."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)
