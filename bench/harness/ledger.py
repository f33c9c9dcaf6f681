"""How busy the model was while a run was at its height, by the model's own count."""

import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.duels import Run
from harness.load import Load
from harness.results import Inside, Scene
from harness.serving import LOGS, Server

EDGE_S = 0.25  # at the begin and the end of a run wrk connects and leaves: not looked at


def ledger_of(name: str) -> Path:
    """Return the file in which this contender's model counts its calls."""
    return LOGS / f"forest-{name}.ledger"


class Gauge:
    """Reads the ledger twice within each run of many connections."""

    def __init__(self, seconds: int) -> None:
        self.insides: list[Inside] = []
        self._seconds = seconds

    def watch(self, server: Server, scene: Scene, run: Run) -> Load:
        """Do the run, and keep what the model counted in the midst of it."""
        if scene.connections == 1:
            return run()
        name = server.contender.name
        with ThreadPoolExecutor(1) as aside:
            counting = aside.submit(_counted, ledger_of(name), self._seconds - 2 * EDGE_S)
            load = run()
            calls, items, busy_s, wall_s = counting.result()
        self.insides.append(Inside(name, calls, items, busy_s, wall_s, load.rate))
        return load


def _counted(ledger: Path, seconds: float) -> tuple[int, int, float, float]:
    time.sleep(EDGE_S)
    before, began = _read(ledger), time.perf_counter()
    time.sleep(seconds)
    after, wall_s = _read(ledger), time.perf_counter() - began
    calls, items, busy_s = (late - early for early, late in zip(before, after, strict=True))
    return int(calls), int(items), busy_s, wall_s


def _read(ledger: Path) -> tuple[float, float, float]:
    calls, items, seconds = struct.unpack("3d", ledger.read_bytes())
    return calls, items, seconds
