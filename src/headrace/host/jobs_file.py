"""Which file a server's jobs are in: the one that is named, or one that goes by its address."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from headrace.host.settings import Settings

FOLDER = Path(".headrace")
"""In the folder that the server works in: made with the first job."""


def jobs_file(settings: Settings, socks: Sequence[socket.socket]) -> Path | None:
    """Return it; None for a server without an address, whose jobs nobody named a file for."""
    if settings.jobs_file is not None:
        return Path(settings.jobs_file).absolute()
    if not socks:
        return None
    address = socks[0].getsockname()
    name = Path(address).stem if isinstance(address, str) else str(address[1])
    return (FOLDER / f"jobs-{name}.sqlite3").absolute()
