"""The arithmetic of large bodies, their three servers: a wrong figure here would be believed."""

import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import bodies, promises, report_bodies, results, venvs, weighing
from harness.benches import BENCHES
from harness.contenders import Contender
from harness.errands import BACK, LARGE, SMALL, Errand
from harness.load import Load
from harness.machine import Machine
from harness.orders import Orders
from harness.results import BodiesResults, Curve, Duel, Meeting, Weight
from harness.serving import Unavailable, serving

MACHINE = Machine("2026-01-01", "a CPU", 2, "Linux 6.1", 0.0, {"wrk": "4.1"})


def load(rate: float) -> Load:
    return Load(int(rate), 1.0, 1.0, 2.0, 0, 0, 30.0)


def growing(memory_mb: Callable[[int], float]) -> Curve:
    at = range(0, 1001, 50)
    return Curve("headrace", [Weight(n, memory_mb(n), memory_mb(n) - 1, 99) for n in at])


def measured(errand: Errand, rate: float, *curves: Curve) -> BodiesResults:
    duel = Duel(bodies.FEW, "headrace", "litserve", [(load(rate), load(10))])
    return BodiesResults(MACHINE, 3, [Meeting(errand.title, duel)], list(curves))


def words(found: BodiesResults) -> dict[str, str]:
    verdicts = promises.held(promises.BODIES_PROMISES, found)
    return {each.promise.text: each.word for each in verdicts}


@pytest.mark.parametrize(("rate", "word"), [(20, "pass"), (19, "**FAIL**")])
def test_a_promise_of_large_bodies_is_kept_at_its_bound(rate: float, word: str) -> None:
    told = words(measured(LARGE, rate))
    assert told["requests/s, 10 MB in, 4 at a time, against LitServe"] == word
    assert told["requests/s, 10 MB in and out, 4 at a time, against LitServe"] == "not measured"


@pytest.mark.parametrize(("per_hundred", "word"), [(0.0, "pass"), (0.9, "pass"), (1.1, "**FAIL**")])
def test_memory_is_judged_by_its_slope(per_hundred: float, word: str) -> None:
    curve = growing(lambda n: 80 + per_hundred * n / 100)
    assert curve.slope(lambda weight: weight.worker_pss_mb) == pytest.approx(per_hundred)
    told = words(measured(BACK, 20, curve))
    assert told["worker memory over 10 MB in and out, growth in 100 of them"] == word


def test_the_first_two_hundred_bodies_may_take_what_they_need() -> None:
    curve = growing(lambda n: min(n, 200) * 1.0)
    assert curve.slope(lambda weight: weight.worker_pss_mb) == pytest.approx(0)


def test_a_curve_too_short_to_have_a_slope_has_none() -> None:
    short = Curve("headrace", [Weight(0, 1, 1, 1), Weight(200, 2, 2, 2)])
    assert short.slope(lambda weight: weight.worker_pss_mb) is None
    assert "| -" in report_bodies.render(measured(BACK, 20, short))


def test_a_server_that_could_not_be_weighed_is_named_with_its_reason() -> None:
    told = words(measured(BACK, 20, Curve("headrace", note="skipped: it closes")))
    assert told["the same, of the pages that are the worker's alone"] == "skipped: it closes"


def test_the_results_of_large_bodies_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = measured(BACK, 20, growing(lambda n: 80 + n / 1000))
    results.save(found, tmp_path / "kept.json")
    again = results.load_as(BodiesResults, tmp_path / "kept.json")
    assert report_bodies.render(again) == report_bodies.render(found)


@pytest.mark.parametrize("errand", [SMALL, LARGE, BACK], ids=lambda errand: errand.title)
def test_a_cut_or_empty_answer_is_a_wrong_one(errand: Errand) -> None:
    question = errand.question()
    assert len(question.body) == errand.size_mb * 1_000_000
    summed = sum(question.body[:1000])
    answer = b'{"sum": %d, "length": %d}' % (summed, len(question.body))
    assert question.right(question.body if errand.back else answer)
    assert not question.right(question.body[:-1] if errand.back else answer.replace(b"00}", b"01}"))


def answered(raw: bytes) -> tuple[int, bytes]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw)
        theirs.shutdown(socket.SHUT_WR)
        return weighing.receive(ours)


def test_an_answer_is_read_to_its_length() -> None:
    assert answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc") == (200, b"abc")
    assert answered(b"HTTP/1.1 503 No\r\nX: 1\r\ncontent-length:0\r\n\r\n") == (503, b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_ends_early_or_has_no_length_is_told(raw: bytes) -> None:
    with pytest.raises(Unavailable):
        answered(raw)


def test_who_is_in_no_bench_is_refused_and_who_is_in_another_stays_out() -> None:
    forest = next(bench for bench in BENCHES if bench.name == "forest")
    assert Orders(only="headrace,mosec,fastapi").names(forest.peers) == ("headrace", "mosec")
    assert Orders(base=Path("x")).names(forest.peers) == ("headrace", "base")
    assert Orders().names(forest.peers) == ("headrace", "mosec", "litserve")
    with pytest.raises(ValueError, match="there are headrace"):
        Orders(only="headrace,nobody").names(forest.peers)


@pytest.fixture
def server_of(request: pytest.FixtureRequest) -> Contender:
    """Enlist a server for 1 MB in, or in and out; skip where its environment is missing."""
    name: str
    errand: Errand
    name, errand = request.param
    if name != "headrace" and not venvs.installed(name):
        pytest.skip(f"{name} is not installed: make bench installs it")
    return replace(errand, size_mb=1).enlist(name, bodies.FEW, None)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "server_of",
    [(name, errand) for name in ("headrace", "mosec", "litserve") for errand in (SMALL, BACK)],
    indirect=True,
    ids=lambda case: f"{case[0]}-{case[1].title}",
)
def test_every_body_is_answered_and_weighed(server_of: Contender) -> None:
    with serving(server_of) as server:
        weights = weighing.weigh(server, 100)
    assert [each.requests for each in weights] == [0, 50, 100]
    assert all(0 < each.worker_uss_mb <= each.worker_pss_mb < each.all_pss_mb for each in weights)
