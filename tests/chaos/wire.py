"""HTTP/1.1 from the client's side, chunk by chunk, so that a cut is seen as a cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

Cut = asyncio.IncompleteReadError


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a response; names of headers in lower case."""

    status: int
    headers: dict[bytes, bytes]

    @property
    def is_whole(self) -> bool:
        """Whether the body comes at once, its length known."""
        return b"content-length" in self.headers


@dataclass(slots=True)
class Wire:
    """One connection, one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, path: str, body: bytes, headers: str, cut: int | None = None) -> None:
        """Write a POST, or the beginning of one."""
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body[:cut])

    async def head(self) -> Head:
        """Raises Cut where the connection ends, and what asyncio raises for a broken one."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        pairs = [line.partition(b":") for line in lines[1:] if line]
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return Head(int(lines[0][9:12]), headers)

    async def body(self, head: Head) -> bytes:
        """Read a body of known length."""
        return await self.reader.readexactly(int(head.headers[b"content-length"]))

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the parts of a chunked body; return only at its clean end."""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            chunk = await self.reader.readexactly(size + 2)
            assert chunk.endswith(b"\r\n"), chunk
            if not size:
                return
            yield chunk[:-2]

    def leave(self) -> None:
        """Go at once: the kernel resets the connection."""
        self.writer.transport.abort()


async def fetch(port: int, path: str) -> bytes:
    """GET a body of known length, more cheaply than a library does it."""
    wire = await dial(port)
    try:
        wire.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return await wire.body(await wire.head())
    finally:
        wire.writer.close()


async def dial(port: int) -> Wire:
    return Wire(*await asyncio.open_connection("127.0.0.1", port))
