"""What was written to a client and has not arrived: how much it is, and how to drop it."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import struct
import termios

AT_ONCE = struct.pack("ii", 1, 0)


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return what waits in our memory and, where that is any, in the kernel's.

    A client that reads slowly empties the kernel's megabytes long before ours: by ours alone it
    would look as if it took nothing. Under TLS the transport does not tell what waits below it,
    so the kernel is always asked.
    """
    waiting = transport.get_write_buffer_size()
    if not waiting and transport.get_extra_info("ssl_object") is None:
        return 0
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return waiting
    queued = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, queued)  # SIOCOUTQ: sent, not acknowledged
    return waiting + queued[0]


class Stall:
    """For how long one client has taken nothing."""

    def __init__(self) -> None:
        self._before, self._took_at = 0, 0.0

    def seconds(self, transport: asyncio.Transport, now: float) -> float:
        """Look once more; 0 if the client took something since the last look, or need not.

        Only less than before counts: an application may have written more meanwhile.
        """
        unsent = unsent_bytes(transport)
        if not unsent or unsent < self._before or not self._before:
            self._took_at = now
        self._before = unsent
        return now - self._took_at


def drop(transport: asyncio.Transport) -> None:
    """Abort a connection with all that is unsent; the kernel would go on trying for minutes."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    transport.abort()
