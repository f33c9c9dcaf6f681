"""Who is measured, and how each is started: one replica, one web process, no access log."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import venvs
from harness.questions import ECHO, Question

BENCH = Path(__file__).resolve().parent.parent
SERVERS = BENCH / "servers"
HERE = BENCH.parent / "src"

HEADRACE = "headrace"
BASE = "base"  # another checkout of Headrace, given by --base
SINGLY = "singly"  # Headrace again, told to run one request a call
HANDLER = "handler"  # Headrace again: a plain handler in front of the graph, for a model
RAY, RAY_TUNED = "ray", "ray-tuned"  # Ray Serve as it comes, and told to be fast
PEERS = ("mosec", "litserve", "fastapi", "uvicorn")
NAMES = (HEADRACE, *PEERS, BASE, SINGLY, HANDLER, RAY, RAY_TUNED)
BATCHING = (HEADRACE, BASE, "mosec", "litserve")

TITLES: Mapping[str, str] = {
    HEADRACE: "Headrace",
    BASE: "Headrace (base)",
    SINGLY: "one request a call",
    HANDLER: "Headrace, a handler in front",
    RAY: "Ray Serve",
    RAY_TUNED: "Ray Serve, throughput mode",
    "mosec": "mosec",
    "litserve": "LitServe",
    "fastapi": "FastAPI (in-process)",
    "uvicorn": "bare uvicorn",
}

# Set outside, these would change what a server does: every contender starts without them.
FOREIGN = ("HEADRACE_", "MOSEC_", "LIT_", "UVICORN_", "PYTHON", "PORT", "RAY_", "WEB_CONCURRENCY")


@dataclass(frozen=True, slots=True)
class Contender:
    """One server to be measured; `{port}` stands in its command for the port it gets."""

    name: str
    batched: bool
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    spins: bool = False  # burns CPU while idle: it is stopped (SIGSTOP) while its rival is measured
    question: Question = ECHO
    bench: str = ""  # empty: the echo's
    needs_scratch: bool = False  # gets a fresh folder as BENCH_SCRATCH, removed when it has ended

    @property
    def label(self) -> str:
        """A name for logs and messages."""
        if self.bench:
            return f"{self.bench}-{self.name}"
        return f"{self.name}-batched" if self.batched else self.name


def contender(name: str, *, batched: bool, base: Path | None = None) -> Contender:
    """Return how to start this contender, with its environment installed.

    Raises CannotInstall.
    """
    extra = ("--batched",) if batched else ()
    match name:
        case "headrace" | "base":
            return _headrace(name, source_of(name, base), batched=batched)
        case "mosec" | "litserve":
            spins = batched and name == "litserve"
            return Contender(name, batched, (*peer(name, "echo"), *extra), spins=spins)
        case "fastapi" | "uvicorn":
            return Contender(name, batched, _uvicorn(name))
        case _:
            raise ValueError(f"no contender is called {name!r}; there are {', '.join(NAMES)}")


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return a server's environment: ours, less what would change its ways, plus `own`."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith(FOREIGN)}
    return kept | dict(own)


def headrace(target: str, source: Path) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the command that serves a target of this folder, with the checkout at `source`."""
    call = "from headrace.cli import main; main()"  # `headrace`, but of that checkout
    command = (sys.executable, "-c", call, "serve", str(SERVERS / target), "--port", "{port}")
    return command, {"PYTHONPATH": str(source)}


def source_of(name: str, base: Path | None) -> Path:
    """Return the source folder of this checkout, or of the one it is compared with."""
    return HERE if name == HEADRACE or base is None else base


def peer(name: str, bench: str) -> tuple[str, ...]:
    """Return the command of a peer's own script, quiet, on the loopback.

    Raises CannotInstall.
    """
    script = (str(venvs.ensure(name)), str(SERVERS / f"{bench}_{name}.py"))
    if name == "mosec":
        quiet = ("--address", "127.0.0.1", "--port", "{port}", "--log-level", "warning")
        return (*script, *quiet)
    return (*script, "--port", "{port}")


def _headrace(name: str, source: Path, *, batched: bool) -> Contender:
    command, own = headrace("echo_headrace_batched.py" if batched else "echo_headrace.py", source)
    return Contender(name, batched, command, own)


def _uvicorn(name: str) -> tuple[str, ...]:
    address = ("--host", "127.0.0.1", "--port", "{port}", "--app-dir", str(SERVERS))
    quiet = ("--no-access-log", "--log-level", "warning")
    fast = ("--loop", "uvloop", "--http", "httptools")
    return (str(venvs.ensure(name)), "-m", "uvicorn", f"echo_{name}:app", *address, *quiet, *fast)
