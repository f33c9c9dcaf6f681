"""What stands in a line of the access log: Gunicorn's atoms, or one JSON object.

Clients choose most of it, so whatever could end a line or a quoted text is escaped.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from headrace.errors import ConfigError

GUNICORN = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
JSON = "json"
Pairs = Sequence[tuple[bytes, bytes]]
_ATOM = re.compile(r"%\(([A-Za-z]|\{[^{}()]+\}[ioe])\)s|%%|%")
_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\u2028\u2029]')


@dataclass(slots=True)
class Exchange:
    """One request and its response, when both are over."""

    scope: Mapping[str, Any]
    status: int
    body_bytes: int
    seconds: float
    headers: Pairs
    """The response's."""

    def asked(self, name: bytes) -> str:
        """Return a header of the request, or a hyphen."""
        return _found(self.scope["headers"], name)

    def told(self, name: bytes) -> str:
        """Return a header of the response, or a hyphen."""
        return _found(self.headers, name)


Atom = Callable[[Exchange], str]


def _found(headers: Pairs, name: bytes) -> str:
    for key, value in headers:
        if key == name:
            return safe(value.decode("latin-1"))
    return "-"


def safe(text: str) -> str:
    """Return a text that can end neither its line nor its quotes."""
    return text if _UNSAFE.search(text) is None else _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if char in '"\\':
        return "\\" + char
    return f"\\x{ord(char):02x}" if ord(char) <= 0xFF else f"\\u{ord(char):04x}"  # noqa: PLR2004 - two digits


def compiled(words: str) -> Callable[[Exchange], bytes]:
    """Return what writes a line in this format. Raises ConfigError."""
    if words == JSON:
        return _json_line
    atoms: list[Atom] = []

    def take(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        if found[1] is None:
            raise _unknown(words, words[found.start() : found.start() + 8])
        atoms.append(_atom(found[1], words))
        return "%s"

    template = _ATOM.sub(take, words) + "\n"

    def line(exchange: Exchange) -> bytes:
        return (template % tuple([atom(exchange) for atom in atoms])).encode("utf-8", "replace")

    return line


def _atom(name: str, words: str) -> Atom:
    if name in ATOMS:
        return ATOMS[name]
    if not name.startswith("{"):
        raise _unknown(words, f"%({name})s")
    inner, kind = name[1:-2], name[-1]
    header = inner.lower().encode()
    if kind == "i":
        return lambda exchange: exchange.asked(header)
    if kind == "o":
        return lambda exchange: exchange.told(header)
    return lambda exchange: _variable(exchange, inner)


def _unknown(words: str, part: str) -> ConfigError:
    known = " ".join(f"%({name})s" for name in ATOMS)
    return ConfigError(
        f"setting `access_log_format`: {part!r} in {words!r} is no atom; there are {known}, "
        "%({header}i)s, %({header}o)s, %({variable}e)s, and %% for a percent sign"
    )


def _variable(exchange: Exchange, name: str) -> str:
    """Return what stands in a WSGI environ under this name."""
    scope = exchange.scope
    if name.startswith("HTTP_"):
        return exchange.asked(name[5:].replace("_", "-").lower().encode())
    client, server = scope.get("client") or ("-", "-"), scope.get("server") or ("-", "-")
    values = {
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SCRIPT_NAME": scope.get("root_path", ""),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": client[1],
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[1],
        "CONTENT_TYPE": exchange.asked(b"content-type"),
        "CONTENT_LENGTH": exchange.asked(b"content-length"),
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    return safe(str(values.get(name, "-")))


def _host(exchange: Exchange) -> str:
    client = exchange.scope.get("client")
    return safe(str(client[0])) if client else "-"


def _path(exchange: Exchange) -> str:
    """Return the path as it was sent, its escapes untouched."""
    raw = exchange.scope.get("raw_path")
    return safe(raw.decode("latin-1") if raw else exchange.scope["path"])


def _query(exchange: Exchange) -> str:
    return safe(exchange.scope["query_string"].decode("latin-1"))


def _method(exchange: Exchange) -> str:
    return safe(exchange.scope.get("method", "GET"))  # a WebSocket has none


def _version(exchange: Exchange) -> str:
    return f"HTTP/{exchange.scope.get('http_version', '1.1')}"


def _request_line(exchange: Exchange) -> str:
    query = _query(exchange)
    target = f"{_path(exchange)}?{query}" if query else _path(exchange)
    return f"{_method(exchange)} {target} {_version(exchange)}"


def _user(exchange: Exchange) -> str:
    """Return the name in Basic credentials; never what else stands there."""
    kind, _, told = exchange.asked(b"authorization").partition(" ")
    if kind.lower() != "basic":
        return "-"
    try:
        name = base64.b64decode(told.strip()).partition(b":")[0]
    except (binascii.Error, ValueError):
        return "-"
    return safe(name.decode("utf-8", "replace")) or "-"


_clock: tuple[int, str] = (0, "")


def _time(_exchange: Exchange) -> str:
    global _clock  # noqa: PLW0603 - the same text for all lines of one second
    now = int(time.time())
    if now != _clock[0]:
        _clock = (now, time.strftime("[%d/%b/%Y:%H:%M:%S %z]", time.localtime(now)))
    return _clock[1]


ATOMS: Mapping[str, Atom] = {
    "h": _host,
    "l": lambda _: "-",
    "u": _user,
    "t": _time,
    "r": _request_line,
    "m": _method,
    "U": _path,
    "q": _query,
    "H": _version,
    "s": lambda exchange: str(exchange.status),
    "B": lambda exchange: str(exchange.body_bytes),
    "b": lambda exchange: str(exchange.body_bytes or "-"),
    "f": lambda exchange: exchange.asked(b"referer"),
    "a": lambda exchange: exchange.asked(b"user-agent"),
    "T": lambda exchange: str(int(exchange.seconds)),
    "M": lambda exchange: str(int(exchange.seconds * 1e3)),
    "D": lambda exchange: str(int(exchange.seconds * 1e6)),
    "L": lambda exchange: f"{exchange.seconds:.6f}",
    "p": lambda _: f"<{os.getpid()}>",
}
"""The atoms by Gunicorn's names, with Gunicorn's meanings."""


def _json_line(exchange: Exchange) -> bytes:
    scope = exchange.scope
    client = scope.get("client")
    headers = dict(scope["headers"])
    raw = scope.get("raw_path") or scope["path"].encode()
    told = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime()),
        "client": client[0] if client else None,
        "method": scope.get("method", "GET"),
        "path": raw.decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "protocol": f"HTTP/{scope.get('http_version', '1.1')}",
        "status": exchange.status,
        "bytes": exchange.body_bytes,
        "seconds": round(exchange.seconds, 6),
        "referer": headers.get(b"referer", b"").decode("latin-1"),
        "user_agent": headers.get(b"user-agent", b"").decode("latin-1"),
        "request_id": dict(exchange.headers).get(b"x-request-id", b"").decode("latin-1"),
        "pid": os.getpid(),
    }
    return msgspec.json.encode(told) + b"\n"
