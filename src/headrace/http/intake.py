"""Where a large body goes while it comes: into shared memory at once, and onto the queue's count.

A client that sends slowly holds memory like one that waits, so its bytes count from the moment they
are announced; what the queue has no room for is refused before it is read.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.core.messages import DeploymentId
from headrace.errors import BadRequest
from headrace.http.body import ClientLeft, too_large
from headrace.http.messages import Receive
from headrace.memory.arena import Region
from headrace.memory.slots import LARGE_BYTES, Slot
from headrace.runtime.driver import Driver


class Intake:
    """The way of bodies to one deployment."""

    def __init__(
        self, driver: Driver, deployment: DeploymentId, region: Region | None, limit: int
    ) -> None:
        """Write large ones into `region`, if there is one; refuse those over `limit` bytes."""
        self._driver, self._deployment = driver, deployment
        self.region, self.limit = region, limit

    async def read(self, receive: Receive, length: int | None) -> bytes | Slot:
        """Return the whole body; `length` is its announced one. Raises RequestError, ClientLeft."""
        coming = self.begin(length)
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                coming.add(message.get("body", b""))
                more = message.get("more_body", False)
            return coming.whole()
        finally:
            coming.close()

    def begin(self, length: int | None) -> Coming:
        """Make ready for a body. Raises TooLarge, and Refused if the queue has no room for it."""
        if length is not None and length > self.limit:
            raise too_large(self.limit)
        return Coming(self, length)

    def announce(self, size_bytes: int) -> None:
        """Count bytes that are on their way. Raises Refused."""
        self._driver.coming(self._deployment, size_bytes)

    def forget(self, size_bytes: int) -> None:
        """Count them no longer."""
        self._driver.came(self._deployment, size_bytes)


class Coming:
    """One body on its way. Close it in the end, whatever became of it."""

    __slots__ = ("_at", "_counted", "_intake", "_length", "_memory", "_parts", "_slot")

    def __init__(self, intake: Intake, length: int | None) -> None:
        self._intake, self._length = intake, length
        self._at = self._counted = 0
        self._parts: list[bytes] = []
        self._slot: Slot | None = None
        self._memory: memoryview | None = None
        if length is not None and length > LARGE_BYTES:
            self._count(length)
            if intake.region is not None and (slot := intake.region.take(length)) is not None:
                self._slot, self._memory = slot, intake.region.memory(slot)

    @property
    def size(self) -> int:
        """How many bytes came."""
        return self._at

    def add(self, part: bytes) -> None:
        """Take the next part. Raises TooLarge, BadRequest, Refused."""
        start, self._at = self._at, self._at + len(part)
        if self._at > self._intake.limit:
            raise too_large(self._intake.limit)
        if self._memory is None:
            self._parts.append(part)
            if self._at > max(LARGE_BYTES, self._counted):  # a body of unknown length grows
                self._count(self._at - self._counted)
        elif self._at > len(self._memory):
            raise BadRequest(f"the body is longer than its Content-Length of {self._length}")
        else:
            self._memory[start : self._at] = part

    def rest(self) -> memoryview | None:
        """Return the place of what has not come yet; None if it has no place of its own."""
        return None if self._memory is None else self._memory[self._at :]

    def advance(self, nbytes: int) -> bool:
        """Count what was written to that place; tell if it is full."""
        self._at += nbytes
        return self._at == self._length

    def whole(self) -> bytes | Slot:
        """Return the body, now that it is all there. Raises BadRequest."""
        if self._length is not None and self._at != self._length:
            raise BadRequest(f"{self._at} bytes came of a body of {self._length}")
        if self._slot is not None:
            return self._slot
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        region = self._intake.region
        return body if region is None else region.put(body)

    def close(self) -> None:
        """Let go of it; who took the whole has it now."""
        self._slot = self._memory = None
        self._parts.clear()
        self._intake.forget(self._counted)
        self._counted = 0

    def _count(self, size_bytes: int) -> None:
        self._intake.announce(size_bytes)
        self._counted += size_bytes


class BodyLanding:
    """A large body of known length on its way: see `host.connection.Landing`."""

    __slots__ = ("_answer", "_coming")

    def __init__(self, coming: Coming, answer: Callable[[bytes | Slot], None]) -> None:
        """Call `answer` with the whole body."""
        self._coming, self._answer = coming, answer

    @property
    def size(self) -> int:
        """See `Landing`."""
        return self._coming.size

    def add(self, part: bytes) -> None:
        """See `Landing`."""
        self._coming.add(part)

    def rest(self) -> memoryview | None:
        """See `Landing`."""
        return self._coming.rest()

    def advance(self, nbytes: int) -> bool:
        """See `Landing`."""
        return self._coming.advance(nbytes)

    def done(self) -> None:
        """See `Landing`."""
        body = self._coming.whole()
        self._coming.close()
        self._answer(body)

    def close(self) -> None:
        """See `Landing`."""
        self._coming.close()
