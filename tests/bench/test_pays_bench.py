"""The arithmetic of batching that pays, its servers: a wrong figure here would be believed."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import load, pays, promises, report_pays, results, serving, venvs
from harness.benches import BENCHES
from harness.load import Load
from harness.machine import Machine
from harness.orders import Orders
from harness.results import Duel, Look, Meeting, PaysResults

MACHINE = Machine("2026-01-01", "a CPU", 2, "Linux 6.1", 0.0, {"wrk": "4.1"})


def run_of(rate: float) -> Load:
    return Load(int(rate), 1.0, 1.0, 2.0, 0, 0, 400.0)


def look(model: str, **figures: Any) -> Look:
    usual = Look(model, "headrace", 4, 1.0, 2.0, 3.0, 5.0, 6.0, 80.0, 7.0, 8.0)
    return replace(usual, **figures)


def measured(*looks: Look, note: str = "") -> PaysResults:
    pairs = [] if note else [(run_of(80), run_of(20))]
    meetings = [
        Meeting(each.title, Duel(each.scene, "headrace", "singly", pairs, note))
        for each in pays.SUBJECTS
    ]
    return PaysResults(MACHINE, 3, meetings, list(looks))


def words(found: PaysResults) -> list[str]:
    return [each.word for each in promises.held(promises.PAYS_PROMISES, found)]


def test_each_promise_is_judged_by_its_own_model_and_figure() -> None:
    forest, photos, meanings = (subject.title for subject in pays.SUBJECTS)
    kept = [
        look(forest, mean_batch=8.0),
        look(photos, size=4),
        look(meanings, call_p50_ms=25, p50_ms=50),
    ]
    assert words(measured(*kept)) == ["pass"] * 6
    broken = [
        look(forest, mean_batch=7.9),
        look(photos, size=5),
        look(meanings, call_p50_ms=25.1, p50_ms=50.1),
    ]
    bad = "**FAIL**"
    assert words(measured(*broken)) == [bad, "pass", bad, "pass", bad, bad]


def test_a_model_that_could_not_be_served_is_named_with_its_reason() -> None:
    found = measured(note="skipped: no weights")
    assert words(found) == ["skipped: no weights"] * 6
    assert "skipped: no weights" in report_pays.render(found)


def test_a_row_tells_what_was_chosen_and_what_it_gains() -> None:
    forest = pays.FOREST.title
    told = report_pays.render(measured(look(forest, size=16), look(forest, size=16, item_ms=0.1)))
    (row,) = [line for line in told.splitlines() if line.startswith(f"| {forest}, 32")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == [
        *("16", "3.00", "0.10 n + 1.00", "5.00, 6.00", "7.00, 8.00"),
        *("80.0", "4.00 (4.00-4.00)"),
    ]


def test_the_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = measured(look(pays.FOREST.title), look(pays.MEANINGS.title))
    results.save(found, tmp_path / "kept.json")
    again = results.load_as(PaysResults, tmp_path / "kept.json")
    assert report_pays.render(again) == report_pays.render(found)


def test_the_middle_and_the_slow_end_of_calls_are_those_of_the_sorted_times() -> None:
    times = [number / 100 for number in range(100)]
    assert (pays._at(times, 0.5), pays._at(times, 0.95)) == (0.5, 0.95)
    assert pays._at([0.3], 0.95) == 0.3
    assert pays._at([], 0.5) == 0.0


def test_it_is_a_bench_of_headrace_against_itself() -> None:
    bench = next(bench for bench in BENCHES if bench.name == "pays")
    assert Orders().names(bench.peers) == ("headrace", "singly")


@pytest.fixture
def forest() -> Iterator[serving.Server]:
    if not venvs.installed("sentences"):
        pytest.skip("the sentences are not installed: make bench installs them")
    with serving.serving(pays.FOREST.enlist("headrace", pays.FOREST.scene, None)) as server:
        yield server


@pytest.mark.e2e
@pytest.mark.wrk
def test_what_the_server_says_and_what_the_model_wrote_down_agree(forest: serving.Server) -> None:
    def run() -> Load:
        return load.run_wrk(forest, connections=32, seconds=1)

    run()  # it learns what calls of each size cost
    told, found = pays.looked_at(pays.FOREST, forest, run)
    assert not told.faults
    assert found.size == 16, "a forest's calls grow to what is allowed"
    assert 4 < found.mean_batch <= 16
    assert found.fixed_ms > found.item_ms > 0
    assert 0 < found.call_p50_ms <= found.call_p95_ms
