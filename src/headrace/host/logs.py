"""The server's own log lines, on standard error."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def log_to_stderr(level: str) -> None:
    """Let the server's records reach the terminal, unless the program set up logging itself."""
    ours = logging.getLogger("headrace")
    ours.setLevel(level.upper())
    if logging.getLogger().handlers or ours.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S"))
    ours.addHandler(handler)
    ours.propagate = False
