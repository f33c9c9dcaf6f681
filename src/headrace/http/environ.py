"""A request as WSGI sees it: PEP 3333's environ, made of an ASGI scope.

Texts in it are bytes in disguise: each character is one byte (Latin-1), as the PEP wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

from headrace.http.messages import Scope

Environ = dict[str, Any]
BLOCK_BYTES = 1 << 16
MOST_NAMES = 1024
_UNPREFIXED = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_UNWANTED = frozenset({b"transfer-encoding", b"proxy"})
"""The body comes whole, so no encoding is left; HTTP_PROXY would pass for a setting of clients."""


class FileWrapper:
    """wsgi.file_wrapper: a file, block by block."""

    def __init__(self, file: BinaryIO, block_bytes: int = BLOCK_BYTES) -> None:
        self._file, self._block_bytes = file, block_bytes

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_bytes), b"")

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close: Callable[[], None] | None = getattr(self._file, "close", None)
        if close is not None:
            close()


class Environs:
    """Makes the environ of each request of one server."""

    def __init__(self, common: Mapping[str, Any], root_path: str = "") -> None:
        """`common` is the same for every request; `root_path` becomes SCRIPT_NAME."""
        self._common: Environ = {
            "SCRIPT_NAME": root_path,
            "QUERY_STRING": "",
            "wsgi.version": (1, 0),
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
            **common,
        }
        self._root = root_path.encode()
        self._names: dict[bytes, str | None] = dict.fromkeys(_UNWANTED)
        self._names.update(_UNPREFIXED)

    def make(self, scope: Scope, body: BinaryIO, length: int, label: bytes) -> Environ:
        """Return the environ of one request, whose whole body of `length` bytes is there."""
        environ = self._common.copy()
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        query: bytes = scope["query_string"]
        environ["REQUEST_METHOD"] = scope["method"]
        environ["PATH_INFO"] = self._path_info(raw_path)
        raw = raw_path.decode("latin-1")
        if query:
            environ["QUERY_STRING"] = text = query.decode("latin-1")
            raw = f"{raw}?{text}"
        environ["RAW_URI"] = environ["REQUEST_URI"] = raw
        environ["SERVER_PROTOCOL"] = "HTTP/" + scope["http_version"]
        environ["wsgi.url_scheme"] = scope["scheme"]
        environ["wsgi.input"] = body
        _add_ends(environ, scope)
        self._add_headers(environ, scope["headers"])
        if length or "CONTENT_LENGTH" in environ:
            environ["CONTENT_LENGTH"] = str(length)
        environ["HTTP_X_REQUEST_ID"] = label.decode("ascii")
        return environ

    def _path_info(self, raw_path: bytes) -> str:
        path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
        root = self._root
        if root and path.startswith(root) and path[len(root) : len(root) + 1] in (b"", b"/"):
            path = path[len(root) :]
        return path.decode("latin-1")

    def _add_headers(self, environ: Environ, headers: list[tuple[bytes, bytes]]) -> None:
        names = self._names
        for name, value in headers:
            key = names[name] if name in names else self._named(name)
            if key is None:
                continue
            text = value.decode("latin-1")
            if key in environ:
                joint = "; " if key == "HTTP_COOKIE" else ","
                text = f"{environ[key]}{joint}{text}"
            environ[key] = text

    def _named(self, name: bytes) -> str | None:
        """Return the key of a header; None for one that could pass for another (`x_y`, `x-y`)."""
        key = None
        if b"_" not in name:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        if len(self._names) < MOST_NAMES:  # clients choose the names
            self._names[name] = key
        return key


def _add_ends(environ: Environ, scope: Scope) -> None:
    """Say who asks whom; over a unix socket neither has an address."""
    client, server = scope.get("client"), scope.get("server")
    environ["REMOTE_ADDR"], port = (client[0], client[1]) if client else ("", 0)
    if port:
        environ["REMOTE_PORT"] = str(port)
    host, number = server or ("localhost", None)
    if number is None:  # a path
        host, number = "localhost", 443 if scope["scheme"] == "https" else 80
    environ["SERVER_NAME"], environ["SERVER_PORT"] = host, str(number)
