"""The forest's arithmetic, its three servers: a wrong figure here would be believed."""

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import digits, forest, ledger, promises, report, report_forest, results, venvs
from harness.contenders import BENCH, Contender
from harness.load import Load
from harness.machine import Machine
from harness.results import Accuracy, Duel, ForestResults, Inside, Trial
from harness.serving import serving

MACHINE = Machine("2026-01-01", "a CPU", 2, "Linux 6.1", 0.0, {"wrk": "4.1"})
TWENTY_IN_10_MS = Inside("headrace", calls=95, items=1900, busy_s=0.95, wall_s=1, rate=1800)


def load(rate: float, *, p50_ms: float = 1.0) -> Load:
    return Load(int(rate), 1.0, p50_ms, 2.0, 0, 0, 30.0)


def measured(
    *insides: Inside, rate: float = 10, alone_ms: float = 5, right: int = 9
) -> ForestResults:
    alone = (load(9, p50_ms=alone_ms), load(9, p50_ms=10))
    return ForestResults(
        MACHINE,
        3,
        {"headrace": 0, "mosec": 5},
        [Trial("mosec", 5, 10.0)],
        [Accuracy("headrace", 9, right)],
        [
            Duel(forest.CROWD, "headrace", "mosec", [(load(rate), load(10))]),
            Duel(forest.LONE, "headrace", "mosec", [alone]),
        ],
        list(insides),
    )


def word(found: ForestResults, text: str) -> str:
    verdicts = promises.held(promises.FOREST_PROMISES, found)
    return next(each.word for each in verdicts if each.promise.text.startswith(text))


def test_the_model_s_own_count_gives_its_busy_share_and_its_batches() -> None:
    assert TWENTY_IN_10_MS.busy_share == pytest.approx(0.95)
    assert TWENTY_IN_10_MS.mean_items == pytest.approx(20)


def test_the_pace_is_the_clients_rate_by_mean_items_over_mean_seconds() -> None:
    back_to_back = 20 / 0.010
    assert TWENTY_IN_10_MS.pace_share == pytest.approx(1800 / back_to_back)


def test_a_model_that_was_never_called_has_no_pace() -> None:
    idle = Inside("headrace", calls=0, items=0, busy_s=0, wall_s=1, rate=0)
    assert idle.pace_share is None
    assert word(measured(idle), "requests/s of 64 clients, against mean n") == "not measured"
    assert "| -" in report_forest.render(measured(idle))


@pytest.mark.parametrize(
    ("found", "text", "expected"),
    [
        (measured(rate=10), "requests/s of 64 clients, against mosec", "pass"),
        (measured(rate=9), "requests/s of 64 clients, against mosec", "**FAIL**"),
        (measured(alone_ms=5), "median of one client", "pass"),
        (measured(alone_ms=5.1), "median of one client", "**FAIL**"),
        (measured(right=9), "digits told right", "pass"),
        (measured(right=8), "digits told right", "**FAIL**"),
        (measured(), "requests/s of 64 clients, against LitServe", "not measured"),
        (measured(), "time inside predict", "not measured"),
        (measured(replace(TWENTY_IN_10_MS, busy_s=0.9)), "time inside predict", "pass"),
        (
            measured(replace(TWENTY_IN_10_MS, busy_s=0.89)),
            "time inside predict",
            "**FAIL**",
        ),
        (measured(TWENTY_IN_10_MS), "requests/s of 64 clients, against mean n", "pass"),
        (
            measured(replace(TWENTY_IN_10_MS, rate=1799)),
            "requests/s of 64 clients, against mean n",
            "**FAIL**",
        ),
    ],
)
def test_a_promise_of_the_forest_is_kept_at_its_bound(
    found: ForestResults, text: str, expected: str
) -> None:
    assert word(found, text) == expected


def test_a_rival_s_model_counts_nothing_for_headrace_s_promises() -> None:
    rival = replace(TWENTY_IN_10_MS, name="mosec")
    assert word(measured(rival), "time inside predict") == "not measured"


def test_a_rival_gets_the_smallest_window_that_is_as_good_as_its_fastest() -> None:
    rates = {("mosec", 1): 90, ("mosec", 2): 96, ("mosec", 5): 100, ("litserve", 10): 1}
    trials = [Trial(name, window_ms, rate) for (name, window_ms), rate in rates.items()]
    assert forest.best([*trials, Trial("headrace", 5, 500)]) == {"mosec": 2, "litserve": 10}


def test_the_forest_s_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = measured(TWENTY_IN_10_MS)
    results.save(found, tmp_path / "kept.json")
    again = results.load_as(ForestResults, tmp_path / "kept.json")
    assert report_forest.render(again) == report_forest.render(found)


def test_the_page_has_a_place_for_each_bench(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text((BENCH / "README.md").read_text())
    for section in ("results", "forest", "bodies"):
        report.put(page, section, f"new {section}")
        assert f"-->\nnew {section}\n<!-- end of {section} -->" in page.read_text()


@pytest.fixture
def server_of(request: pytest.FixtureRequest) -> Contender:
    """Enlist a forest, or skip where its environment is not installed: tests install nothing."""
    name = request.param
    if name != "headrace" and not venvs.installed(name):
        pytest.skip(f"{name} is not installed: make bench installs it")
    return forest.Forest().enlist(name, forest.CROWD, None)


@pytest.mark.e2e
@pytest.mark.parametrize("server_of", ["headrace", "mosec", "litserve"], indirect=True)
def test_a_forest_tells_every_digit_to_the_one_who_asked(server_of: Contender) -> None:
    count = ledger.ledger_of(server_of.name)
    with serving(server_of) as server:
        calls, items, busy_s = struct.unpack("3d", count.read_bytes())
        assert digits.examine(server) == Accuracy(server_of.name, 1797, 1797)
        after = struct.unpack("3d", count.read_bytes())
    assert after[1] - items == 1797
    assert 1797 / 64 <= after[0] - calls < 1797, "it batches"
    assert after[2] > busy_s


@pytest.mark.e2e
@pytest.mark.wrk
def test_wrk_asks_about_one_digit_after_another(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    who = Contender(
        "fake",
        batched=True,
        command=(sys.executable, "-c", RECORDER, "{port}", str(seen)),
        question=replace(digits.question(), right=lambda _: True),
    )
    with serving(who) as server:
        lua, *arguments = who.question.script
        command = ["wrk", "-t1", "-c1", "-d1s", "-s", lua, server.url, "--", *arguments]
        subprocess.run(command, cwd=BENCH, capture_output=True, check=True)
    _, *asked = [line.encode() for line in seen.read_text().splitlines()]  # the first was ours
    known = [body for body, _ in digits.known()]
    start = known.index(asked[0])
    assert asked[:20] == known[start : start + 20]


RECORDER = """
import http.server, sys
seen = open(sys.argv[2], "ab", buffering=0)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        seen.write(self.rfile.read(int(self.headers["content-length"])) + b"\\n")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
