"""The worker's end of shared memory: it makes the arena, and writes requests into region 0."""

from __future__ import annotations

from headrace.memory.arena import SUPPORTED, Arena, Region, make_arena_fd
from headrace.memory.slots import Slot
from headrace.memory.tidying import Tidying


class WorkerMemory:
    """One server's shared memory, made before its first replica. Close it after the last one."""

    def __init__(self) -> None:
        """Make it, inside the event loop that will run the server. Raises OSError."""
        self.arena = Arena(make_arena_fd(), _Nobody())
        self.region = Region(self.arena, 0)
        self._tidying = Tidying(self.region.trim)
        self.region.stirred = self._tidying.stir

    def close(self) -> None:
        """Give everything back that nobody looks at any more."""
        self._tidying.close()
        self.arena.close()


def shared_memory() -> WorkerMemory | None:
    """Make a server's shared memory; None where the system has no such thing."""
    return WorkerMemory() if SUPPORTED else None


class _Nobody:
    """The keeper of regions that have no writer; nothing is ever in one."""

    def adopt(self, slot: Slot) -> None:
        """See `memory.arena.Keeper`."""
