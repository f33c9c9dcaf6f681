"""How a command asks a running server: by its pidfile, through a pidfd, or over HTTP."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from headrace.errors import ConfigError, HeadraceError
from headrace.host.pidfile import Known, holder, known_of

LOOK_EVERY_S = 0.05


class NotRunning(HeadraceError):
    """No server holds the pidfile, or none answers at the URL."""


class Process:
    """The server that holds a pidfile: no other process is ever met, whatever its number."""

    def __init__(self, pidfile: str) -> None:
        """Find it. Raises NotRunning, ConfigError."""
        pid = holder(pidfile)
        if not pid:
            stale = Path(pidfile).exists()
            why = "the file was left by one that is gone" if stale else "there is no such file"
            raise NotRunning(f"no server runs by the pidfile {pidfile}: {why}")
        try:
            self._fd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise NotRunning(f"the server of the pidfile {pidfile} has just ended") from None
        if holder(pidfile) != pid:  # else it ended between our two steps
            self.close()
            raise NotRunning(f"the server of the pidfile {pidfile} has just ended")
        self._pidfile, self.pid = pidfile, pid

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    @property
    def known(self) -> Known:
        """What it tells its commands."""
        return known_of(self._pidfile)

    def send(self, number: signal.Signals) -> None:
        """Signal it. Raises ConfigError where we may not, NotRunning where it has ended."""
        try:
            signal.pidfd_send_signal(self._fd, number)
        except PermissionError:
            raise ConfigError(
                f"process {self.pid} belongs to another user; run this command as that user"
            ) from None
        except ProcessLookupError:
            raise NotRunning(f"process {self.pid} has just ended") from None

    def has_ended(self, within_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        readable, _, _ = select.select([self._fd], [], [], max(0.0, within_s))
        return bool(readable)

    def reloaded(self, before: int, within_s: float) -> Known | None:
        """Wait until it has ended more reloads than `before`; None if it did not in time."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if self.has_ended(LOOK_EVERY_S):
                raise NotRunning(f"process {self.pid} ended while it reloaded")
            if (known := self.known).reloads > before:
                return known
        return None


def health_of(url: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
    """Return the status code and the words of a server's /-/health. Raises NotRunning."""
    connection = _connection(url, timeout_s)
    try:
        connection.request("GET", "/-/health", headers={"Host": "localhost"})
        answer = connection.getresponse()
        told = msgspec.json.decode(answer.read())
        return answer.status, told if isinstance(told, dict) else {}
    except (OSError, http.client.HTTPException) as error:
        raise NotRunning(f"no server answers at {url}: {error}") from error
    except msgspec.DecodeError as error:
        raise NotRunning(f"what answers at {url} is no headrace server") from error
    finally:
        connection.close()


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    if url.startswith("unix:"):
        return _OverUnix(url.removeprefix("unix:").removeprefix("//"), timeout_s)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url} is no URL of a server: write http://host:port or unix:/path")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    context = ssl.create_default_context()
    context.check_hostname = False  # it is asked for its health by an address, not by its name
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=timeout_s, context=context
    )


class _OverUnix(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path, self._timeout_s = path, timeout_s

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)
