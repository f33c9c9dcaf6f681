"""The bench's own arithmetic: a wrong figure here would be believed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import processes, promises, report, results, serving
from harness.contenders import BENCH, Contender
from harness.duels import names_of, programme
from harness.load import Load
from harness.machine import Machine
from harness.results import Duel, Results, Scene, Standing

CROWD = Scene(64, batched=False)
MACHINE = Machine("2026-01-01", "a CPU", 2, "Linux 6.1", 0.0, {"wrk": "4.1"})


def load(rate: float, *, p50_ms: float = 1.0, refused: int = 0) -> Load:
    return Load(int(rate), 1.0, p50_ms, 2.0, refused, 0, 30.0)


def measured(*duels: Duel) -> Results:
    return Results(
        MACHINE,
        3,
        list(duels),
        [Standing("headrace", batched=False, starts_s=(0.5, 0.4, 2.0), processes=2)],
    )


def against_mosec(*pairs: tuple[Load, Load]) -> Duel:
    return Duel(CROWD, "headrace", "mosec", pairs)


def words(found: Results) -> dict[str, str]:
    return {each.promise.text: each.word for each in promises.judge(found)}


def test_a_ratio_is_the_median_of_pairs_and_not_the_ratio_of_medians() -> None:
    duel = against_mosec(
        (load(100), load(10)), (load(20), load(10)), (load(300), load(200)), (load(90), load(30))
    )
    assert duel.ratio(results.rate) == pytest.approx(2.5)
    assert duel.medians(results.rate) == (95.0, 20.0)


@pytest.mark.parametrize(("rate", "word"), [(25, "pass"), (24, "**FAIL**")])
def test_a_promise_is_kept_at_its_bound(rate: float, word: str) -> None:
    found = measured(against_mosec((load(rate), load(10))))
    assert words(found)["requests/s at 64 connections, against mosec"] == word


def test_one_failed_request_makes_a_figure_invalid() -> None:
    found = measured(against_mosec((load(100), load(10)), (load(100, refused=1), load(10))))
    assert words(found)["requests/s at 64 connections, against mosec"].startswith("invalid")
    assert "invalid: 1 failed requests" in report.render(found)


def test_what_was_not_measured_is_neither_kept_nor_broken() -> None:
    assert words(measured())["median alone, against mosec"] == "not measured"


def test_a_peer_that_could_not_come_is_named_with_its_reason() -> None:
    found = measured(replace(against_mosec(), note="skipped: no wheel"))
    assert words(found)["requests/s at 64 connections, against mosec"] == "skipped: no wheel"
    assert "skipped: no wheel" in report.render(found)


def test_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = measured(against_mosec((load(100), load(10))))
    results.save(found, tmp_path / "kept.json")
    assert report.render(results.load(tmp_path / "kept.json")) == report.render(found)


def test_the_page_keeps_what_stands_around_the_results(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    for _ in range(2):
        report.replace_results(page, measured(), None)
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text


def test_only_servers_that_batch_meet_in_batches() -> None:
    batched = {duel.other for duel in programme(names_of(None, None)) if duel.scene.batched}
    assert batched == {"mosec", "litserve"}


def test_cpu_and_memory_of_this_process_are_seen() -> None:
    me = processes.look(os.getpid())
    assert me is not None
    assert processes.cpu_ns(os.getpid()) > 0
    assert processes.pss_bytes([me.process]) > 0


SERVER = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], start_new_session=True)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "15")
        self.end_headers()
        self.wfile.write(b'{"output": 9.0}')
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_server_ends_with_the_children_it_left_in_sessions_of_their_own() -> None:
    who = Contender("fake", batched=False, command=(sys.executable, "-c", SERVER, "{port}"))
    with serving.serving(who) as server:
        processes_then = server.family()
        worker = server.worker()
        assert len(processes_then) == 2
        assert worker is not None
        assert worker.pid == server.process.pid
    assert not any(processes.alive(process) for process in processes_then)
    assert not serving.listens(server.port)


def test_a_server_that_cannot_start_is_told_with_its_last_words() -> None:
    who = Contender(
        "fake", batched=False, command=(sys.executable, "-c", "raise SystemExit('no such model')")
    )
    with pytest.raises(serving.Unavailable, match="no such model"), serving.serving(who):
        pass


def test_an_unknown_contender_is_refused_with_the_known_ones() -> None:
    bench = BENCH / "run.py"
    command = [sys.executable, str(bench), "--quick", "--only", "headrace,nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there are headrace, mosec" in done.stderr
