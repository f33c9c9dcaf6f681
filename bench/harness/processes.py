"""What the kernel says about processes: kinship, CPU time, memory, connections."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
GONE = (
    FileNotFoundError,
    ProcessLookupError,
)  # a process may end between two looks: that is no error


@dataclass(frozen=True, slots=True)
class Process:
    """A pid and its birth in clock ticks: the pid alone may be used again."""

    pid: int
    born: int


@dataclass(frozen=True, slots=True)
class Look:
    """One glance at one process."""

    process: Process
    parent: int
    alive: bool  # a zombie is not: it holds no memory and no socket, only waits to be read


def look(pid: int) -> Look | None:
    """Return what /proc/<pid>/stat says, None when the process is gone."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except GONE:
        return None
    return Look(Process(pid, int(fields[19])), int(fields[1]), alive=fields[0] not in "ZX")


def alive(process: Process) -> bool:
    """Say whether this very process, not a later one with its pid, still lives."""
    seen = look(process.pid)
    return seen is not None and seen.alive and seen.process == process


def family(root: int, mark: bytes) -> list[Process]:
    """Return `root`, its living descendants, and all with a variable that starts with `mark`.

    The mark finds orphans, which have lost their parent, and children in sessions of their own.
    """
    looks = {pid: seen for pid in _pids() if (seen := look(pid)) and seen.alive}

    def belongs(pid: int) -> bool:
        while pid in looks:
            if pid == root:
                return True
            pid = looks[pid].parent
        return False

    return [seen.process for pid, seen in looks.items() if belongs(pid) or _carries(pid, mark)]


def cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process, in nanoseconds; 0 when it is gone."""
    total = 0
    with suppress(*GONE):
        for task in (PROC / str(pid) / "task").iterdir():
            with suppress(*GONE):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def pss_bytes(processes: Iterable[Process]) -> int:
    """Return the memory of these processes, a shared page split among its sharers."""
    return sum(_rollup(process.pid).get("Pss", 0) for process in processes)


def memory_bytes(pid: int) -> tuple[int, int]:
    """Return a process's proportional set size, and what is in it alone."""
    said = _rollup(pid)
    alone = said.get("Private_Clean", 0) + said.get("Private_Dirty", 0)
    return said.get("Pss", 0), alone


def holder(processes: Iterable[Process], *, server_port: int, client_port: int) -> Process | None:
    """Return the process that holds the server's end of a connection."""
    wanted = f"socket:[{_inode(server_port, client_port)}]"
    for process in processes:
        with suppress(*GONE):
            for descriptor in (PROC / str(process.pid) / "fd").iterdir():
                with suppress(*GONE):
                    if str(descriptor.readlink()) == wanted:
                        return process
    return None


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _carries(pid: int, mark: bytes) -> bool:
    try:
        variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        return any(variable.startswith(mark) for variable in variables)
    except (*GONE, PermissionError):  # another user's process is none of ours
        return False


def _rollup(pid: int) -> dict[str, int]:
    """Return what smaps_rollup says, in bytes; nothing when the process is gone."""
    with suppress(*GONE):
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
        fields = (line.split() for line in lines)
        return {name.rstrip(":"): int(kib) * 1024 for name, kib, *_ in fields}
    return {}


def _inode(server_port: int, client_port: int) -> str | None:
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            ends = tuple(int(end.rpartition(":")[2], 16) for end in fields[1:3])
            if ends == (server_port, client_port):
                return fields[9]
    return None
