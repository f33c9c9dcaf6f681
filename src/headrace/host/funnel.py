"""Reads a large body straight from the kernel to where it is to stay, past parser and copies.

While it reads, it is the transport's protocol in place of the HTTP one, which has it back in the
end; the parser, that saw only the body's beginning, is replaced.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from headrace.host.connection import Landing
from headrace.host.limits import Limits

SLOW_AFTER_S = 10.0


class Http(Protocol):
    """What a funnel needs of the HTTP protocol it stands in for."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    def landed(self) -> None:
        """All of the body is there."""

    def eof_received(self) -> None:
        """See asyncio."""

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""

    def pause_writing(self) -> None:
        """See asyncio."""

    def resume_writing(self) -> None:
        """See asyncio."""


class Funnel(asyncio.BufferedProtocol):
    """One large body on its way."""

    def __init__(self, landing: Landing, http: Http) -> None:
        """Begin; what the parser has read of the body already comes by `add`."""
        self.landing, self._http = landing, http
        self._began = self._came_at = http.loop.time()
        self._reads = False

    def add(self, part: bytes) -> None:
        """Take what came through the parser."""
        self._came_at = self._http.loop.time()
        self.landing.add(part)

    def take_over(self) -> None:
        """Read the rest past the parser, if there is a place to read it to."""
        if not self._reads and self.landing.rest() is not None:
            self._reads = True
            self._http.transport.set_protocol(self)

    def give_up(self) -> None:
        """The rest will not come, or nobody wants it."""
        self.landing.close()
        self._give_back()

    def too_slow(self, limits: Limits, now: float) -> str:
        """Say what is wrong with the client's pace; empty if nothing is."""
        seconds, least = now - self._began, limits.min_body_bytes_per_s
        if now - self._came_at > limits.body_idle_timeout_s:
            return f"nothing came of the body for {limits.body_idle_timeout_s:g} s"
        if seconds > SLOW_AFTER_S and self.landing.size < seconds * least:
            return f"the body came at less than {least} bytes a second"
        return ""

    def _give_back(self) -> None:
        if self._reads:
            self._reads = False
            self._http.transport.set_protocol(self._http)  # type: ignore[arg-type] # it is one

    # --- for the transport -------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio gives a hint
        """Return where the next bytes go."""
        rest = self.landing.rest()
        assert rest is not None  # noqa: S101 - it was there when we took over
        return rest

    def buffer_updated(self, nbytes: int) -> None:
        """Count what came; hand over when it is all there."""
        self._came_at = self._http.loop.time()
        if self.landing.advance(nbytes):
            self._give_back()
            self._http.landed()

    def eof_received(self) -> None:
        """See asyncio."""
        self._http.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._http.resume_writing()
