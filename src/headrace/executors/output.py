"""What a replica prints, line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

READ_BYTES = 1 << 16
LONGEST_LINE_BYTES = 1 << 16
MOST_READS_LEFT = 32  # more than any pipe holds


class Lines:
    """Reads a pipe on the event loop and tells every line, without its end."""

    def __init__(self, fd: int, tell: Callable[[str], None]) -> None:
        """Take over `fd`."""
        self._fd, self._tell = fd, tell
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._loop.add_reader(fd, self._read)

    def _read(self) -> bool:
        """Read once; tell if there may be more."""
        try:
            chunk = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._fd)
            return False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._tell(line.decode(errors="replace").rstrip("\r"))
        return True

    def close(self) -> None:
        """Tell what is left; close the pipe."""
        for _ in range(MOST_READS_LEFT):  # a child that outlived the replica may print for ever
            if not self._read():
                break
        if self._rest:
            self._tell(self._rest.decode(errors="replace"))
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
