"""What a server costs apart from its requests: its start, its memory, its idleness."""

import time
from statistics import median

from harness.contenders import contender
from harness.duels import Effort, Tell
from harness.load import run_wrk
from harness.processes import cpu_ns, pss_bytes
from harness.results import Standing
from harness.serving import Server, Unavailable, serving
from harness.venvs import CannotInstall

STARTS, CONNECTIONS, LOAD_S, CALM_S = 3, 64, 1, 1.0


def weigh(name: str, effort: Effort, tell: Tell, *, batched: bool, idle_s: float) -> Standing:
    """Start a server three times, load it for a second, then watch it idle."""
    try:
        who = contender(name, batched=batched, base=effort.base)
        starts = []
        for number in range(STARTS):
            with serving(who) as server:
                starts.append(round(server.started_s, 3))
                if number == STARTS - 1:
                    found = _weighed(server, starts, idle_s)
    except (CannotInstall, Unavailable) as error:
        tell(f"  skipped: {error}")
        return Standing(name, batched, note=f"skipped: {error}")
    start = f"first 200 after {median(starts):.2f} s"
    tell(
        f"  {who.label}: {start}, {found.pss_mib:.0f} MiB, idle {found.idle_percent:.2f}% of a core"
    )
    return found


def _weighed(server: Server, starts: list[float], idle_s: float) -> Standing:
    run_wrk(server, connections=CONNECTIONS, seconds=LOAD_S)
    processes = server.family()
    memory = pss_bytes(processes)
    time.sleep(CALM_S)
    began, before = time.perf_counter(), {each.pid: cpu_ns(each.pid) for each in processes}
    time.sleep(idle_s)
    spent = sum(max(0, cpu_ns(pid) - already) for pid, already in before.items())
    idle = spent / 1e9 / (time.perf_counter() - began)
    who = server.contender
    return Standing(
        who.name,
        who.batched,
        starts,
        round(memory / 2**20, 1),
        round(idle * 100, 3),
        len(processes),
    )
