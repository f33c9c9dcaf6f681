"""Twenty reloads of models under load, and two versions that cannot be loaded: nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from tests.e2e.serving import served, wait_for
from tests.e2e.test_reloading import TARGET, Load, info, reload, settle, told

RELOADS = 20
MOST_GROWTH_BYTES = 24 << 20


@pytest.mark.soak
@pytest.mark.wrk
@pytest.mark.timeout(600)
def test_twenty_reloads_under_load(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("v1")
    with served(TARGET, env={"VERSION": str(version)}) as server:
        worker = psutil.Process(server.process.pid).children()[0]
        told(server)
        before = len(server.children), worker.num_fds(), worker.num_threads()
        memory = worker.memory_info().rss
        load = Load(server, tmp_path, 500)
        try:
            for number in range(2, RELOADS + 2):
                version.write_text(f"v{number}")
                reload(server)
                assert told(server) == f"v{number}"
            for fault in ("broken", "unfit"):
                version.write_text(fault)
                reload(server)
                assert told(server) == f"v{RELOADS + 1}"
        finally:
            said = load.end()
        print(said)
        assert not re.search("Socket errors|Non-2xx", said), said
        settle(server)
        wait_for(
            lambda: (len(server.children), worker.num_fds(), worker.num_threads()) == before,
            "what 22 generations held to be given back",
        )
        assert worker.memory_info().rss - memory < MOST_GROWTH_BYTES
        assert info(server)["generation"]["number"] == RELOADS + 1
