"""The graph's arithmetic, and its servers: a wrong figure here would be believed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import graph, promises, report_graph, results, serving, venvs
from harness.benches import BENCHES
from harness.contenders import HANDLER, RAY, RAY_TUNED
from harness.load import Load
from harness.machine import Machine
from harness.orders import Orders
from harness.processes import alive
from harness.results import Duel, GraphResults

MACHINE = Machine("2026-01-01", "a CPU", 2, "Linux 6.1", 0.0, {"wrk": "4.1"})


def load(rate: float, p50_ms: float = 1.0, broken: int = 0) -> Load:
    return Load(int(rate), 1.0, p50_ms, 2.0, 0, broken, 400.0)


def measured(rate: float, p50_ms: float = 1.0, broken: int = 0) -> GraphResults:
    pair = (load(rate, p50_ms, broken), load(10, 100.0))
    return GraphResults(MACHINE, 3, [Duel(graph.CROWD, "headrace", RAY, [pair])])


def words(found: GraphResults) -> list[str]:
    return [each.word for each in promises.held(promises.GRAPH_PROMISES, found)]


@pytest.mark.parametrize(
    ("rate", "p50_ms", "said"),
    [
        (100, 10.0, ["pass", "pass"]),
        (99, 10.0, ["**FAIL**", "pass"]),
        (100, 10.1, ["pass", "**FAIL**"]),
    ],
)
def test_a_promise_of_the_graph_is_kept_at_its_bound(
    rate: float, p50_ms: float, said: list[str]
) -> None:
    assert words(measured(rate, p50_ms)) == [*said, *["not measured"] * 6]


def test_one_failed_request_makes_the_graph_s_figures_invalid() -> None:
    assert words(measured(100, broken=1))[0].startswith("invalid")


def test_the_results_of_the_graph_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = measured(70)
    results.save(found, tmp_path / "kept.json")
    again = results.load_as(GraphResults, tmp_path / "kept.json")
    assert report_graph.render(again) == report_graph.render(found)
    assert "### The graph, 64 connections" in report_graph.render(found)


def test_both_fronts_meet_both_ways_of_ray_serve() -> None:
    bench = next(bench for bench in BENCHES if bench.name == "graph")
    names = Orders().names(bench.peers)
    met = {(duel.one, duel.other) for duel in graph.programme(names)}
    assert met == {(one, ray) for one in ("headrace", HANDLER) for ray in (RAY, RAY_TUNED)}
    assert [duel.other for duel in graph.programme(("headrace", HANDLER))] == [HANDLER]


def test_an_answer_that_skips_a_stage_is_wrong() -> None:
    assert graph.QUESTION.right(b'{"y": 8}')
    assert not graph.QUESTION.right(b'{"y": 4}')


@pytest.mark.e2e
@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", ["headrace", HANDLER, RAY])
def test_every_graph_answers_and_leaves_nothing_behind(name: str) -> None:
    if name == RAY and not venvs.installed(name):
        pytest.skip("Ray is not installed: make bench installs it")
    with serving.serving(graph.enlist(name, graph.CROWD, None)) as server:
        assert server.ask()
        processes = server.family()
        stages = 5 if name != RAY else 8  # server, worker, three replicas; Ray's own beside them
        assert len(processes) >= stages
        told = Path(f"/proc/{server.process.pid}/environ").read_bytes().split(b"\0")
    scratch = [each.partition(b"=")[2].decode() for each in told if b"BENCH_SCRATCH" in each]
    assert not any(alive(process) for process in processes)
    assert len(scratch) == (name == RAY)
    assert not any(Path(folder).exists() for folder in scratch)
