"""What a replica has of its worker: all that connects the two, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from socket import socket
from threading import RLock

from headrace.replica.bodies import Bodies
from headrace.replica.frames import Splitter
from headrace.replica.page import Page
from headrace.replica.stopping import Guard
from headrace.replica.words import Words


@dataclass(frozen=True, slots=True)
class End:
    """The replica's end of everything that it shares with the worker."""

    sock: socket
    page: Page
    splitter: Splitter
    bodies: Bodies
    guard: Guard
    words: Words = field(default_factory=Words)
    writing: RLock = field(default_factory=RLock)
    """Held for each write where several threads may: a frame is written as a whole."""

    def send(self, frame: bytes | bytearray) -> None:
        """Write a frame, in a replica without an event loop."""
        with self.writing:
            self.sock.sendall(frame)
