"""The listening sockets: bound here, inherited by descriptor, or handed over by systemd."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from headrace._version import __version__
from headrace.errors import AddressError
from headrace.settings.checks import address_parts

UNIX, FD = "unix:", "fd://"


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket, ready to listen; port 0 takes a free one. Raises AddressError.

    SO_REUSEADDR, so that a stopped server's port can be bound again at once; no SO_REUSEPORT, so
    that a second server is told the truth.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        raise AddressError(_in_words(host, port, error)) from error
    return sock


def bind_all(addresses: Iterable[str]) -> list[socket.socket]:
    """Return a bound socket for each `host:port`, `unix:/path` or `fd://N`. Raises AddressError."""
    bound: list[socket.socket] = []
    try:
        for address in addresses:
            bound.append(_bind_one(address))  # noqa: PERF401 - those before the one that fails close
    except AddressError:
        for sock in bound:
            close(sock)
        raise
    return bound


def _bind_one(address: str) -> socket.socket:
    if address.startswith(UNIX):
        return _bind_unix(address.removeprefix(UNIX).removeprefix("//"))
    if address.startswith(FD):
        return adopt(int(address.removeprefix(FD)))
    parts = address_parts(address)
    if parts is None:  # the settings were checked
        raise AddressError(f"{address} is no host:port, unix:/path or fd://N")
    return bind(*parts)


def adopt(fd: int) -> socket.socket:
    """Return the socket that we were started with as this descriptor. Raises AddressError."""
    try:
        sock = socket.socket(fileno=fd)
        if sock.type is not socket.SOCK_STREAM:
            sock.close()
            raise AddressError(f"file descriptor {fd} is a socket of another kind than a stream")
        sock.set_inheritable(False)
    except OSError as error:
        raise AddressError(
            f"file descriptor {fd} is no socket ({error.strerror}); whoever starts the server "
            "must open it and pass it on"
        ) from error
    return sock


def _bind_unix(path: str) -> socket.socket:
    """Return a socket in the file system; the file of a server that is gone is removed first."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.bind(path)
    except (OSError, AddressError) as error:
        sock.close()
        if isinstance(error, AddressError):
            raise
        raise AddressError(_unix_in_words(path, error)) from error
    return sock


def _remove_stale(path: str) -> None:
    try:
        is_socket = stat.S_ISSOCK(Path(path).lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise AddressError(f"{path} is a file, and no socket: remove it, or bind another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except OSError as error:
            raise AddressError(f"cannot tell who listens on {path}: {error.strerror}") from error
    raise AddressError(f"another server listens on {path}; stop it, or bind another path")


def close(sock: socket.socket) -> None:
    """Close a listening socket; one in the file system is removed from there, if it is still it."""
    if sock.family == socket.AF_UNIX and (path := str(sock.getsockname())):
        with contextlib.suppress(OSError):
            Path(path).unlink()
    sock.close()


def _in_words(host: str, port: int, error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use by another program; "
            f"stop it, or choose another port: --port {port + 1}"
        )
    if number == errno.EACCES:
        return f"port {port} needs root; choose one above 1023: --port 8000"
    return f"cannot listen on {host} port {port}: {error}"


def _unix_in_words(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"cannot listen on {path}: its folder is not there; mkdir -p {os.path.dirname(path)}"  # noqa: PTH120 - as text
    return f"cannot listen on {path}: {error.strerror or error}"


def address_of(sock: socket.socket) -> tuple[str, int]:
    """Return the host and port a socket is bound to."""
    host, port = sock.getsockname()[:2]
    return str(host), int(port)


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """Return where a client on this machine finds the server."""
    if sock.family == socket.AF_UNIX:
        return f"{UNIX}{sock.getsockname()}"
    host, port = address_of(sock)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def start_lines(
    socks: Sequence[socket.socket], scheme: str, told: Iterable[str], news: str = ""
) -> list[str]:
    """Return what a server says of itself once it is ready."""
    first, *others = socks
    also = "".join(f", {url_of(sock, scheme)}" for sock in others)
    return [
        f"headrace {__version__} at {url_of(first, scheme)}{also} ({_reach(first)}){news}",
        *told,
    ]


def _reach(sock: socket.socket) -> str:
    if sock.family == socket.AF_UNIX:
        return "this machine only"
    host, _ = address_of(sock)
    local = host in ("127.0.0.1", "::1")
    return "this machine only; --host 0.0.0.0 opens it" if local else f"listening on {host}"
