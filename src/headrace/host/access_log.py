"""The access log of one process: a line for each request, in the settings' format."""

from __future__ import annotations

from headrace.host.access_format import Exchange, compiled
from headrace.host.lines import LineFile


class AccessLog:
    """Writes exchanges to a file, or to standard output."""

    def __init__(self, path: str, words: str) -> None:
        """`path` may be `-`; `words` are Gunicorn's atoms, or `json`. Raises ConfigError."""
        self._line = compiled(words)
        self._file = LineFile(path)

    def write(self, exchange: Exchange) -> None:
        """Note one exchange."""
        self._file.write(self._line(exchange))

    def reopen(self) -> None:
        """Go on in a new file of the same name."""
        self._file.reopen()

    def close(self) -> None:
        """Write what is there, and end."""
        self._file.close()
