"""The listening socket."""

from __future__ import annotations

import errno
import socket

from headrace.errors import AddressError


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


def address_of(sock: socket.socket) -> tuple[str, int]:
    """Return the host and port a socket is bound to."""
    host, port = sock.getsockname()[:2]
    return str(host), int(port)


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """Return where a client on this machine finds the server."""
    host, port = address_of(sock)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
