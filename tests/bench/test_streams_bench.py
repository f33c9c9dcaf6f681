"""The arithmetic of streams, their two servers: a wrong figure here would be believed."""

import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import firsts, promises, report_streams, results, streams, venvs
from harness.benches import BENCHES
from harness.load import Load
from harness.machine import Machine
from harness.orders import Orders
from harness.results import Duel, First, StreamsResults
from harness.serving import Unavailable, serving

MACHINE = Machine("2026-01-01", "a CPU", 2, "Linux 6.1", 0.0, {"wrk": "4.1"})
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def load(rate: float, broken: int = 0) -> Load:
    return Load(int(rate), 1.0, 1.0, 2.0, 0, broken, 400.0)


def measured(rate: float, *waits: First, broken: int = 0) -> StreamsResults:
    duel = Duel(streams.CROWD, "headrace", "litserve", [(load(rate, broken), load(10))])
    return StreamsResults(MACHINE, 3, [duel], list(waits))


def words(found: StreamsResults) -> list[str]:
    return [each.word for each in promises.held(promises.STREAMS_PROMISES, found)]


@pytest.mark.parametrize(("rate", "word"), [(50, "pass"), (49, "**FAIL**")])
def test_a_promise_of_streams_is_kept_at_its_bound(rate: float, word: str) -> None:
    assert words(measured(rate)) == [word, "not measured"]
    assert words(measured(rate, broken=1))[0].startswith("invalid")


@pytest.mark.parametrize(("waits", "word"), [([1.0, 5.0, 9.0], "pass"), ([5.1], "**FAIL**")])
def test_the_first_item_is_judged_by_its_median(waits: list[float], word: str) -> None:
    assert words(measured(50, First("headrace", waits, waits)))[1] == word


def test_a_server_that_could_not_be_heard_is_named_with_its_reason() -> None:
    found = measured(50, First("headrace", note="skipped: it said nothing"))
    assert words(found)[1] == "skipped: it said nothing"
    assert "skipped: it said nothing" in report_streams.render(found)


def test_a_rate_of_items_is_that_of_streams_times_their_length() -> None:
    told = report_streams.render(measured(70))
    assert f"{70 * results.ITEMS:,} : {10 * results.ITEMS:,}" in told
    assert "2.00 : 2.00" in told  # microseconds of the worker's time for an item


def test_the_results_of_streams_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = measured(70, First("headrace", [1.0, 2.0], [3.0, 4.0]))
    results.save(found, tmp_path / "kept.json")
    again = results.load_as(StreamsResults, tmp_path / "kept.json")
    assert report_streams.render(again) == report_streams.render(found)


def test_a_stream_that_misses_a_word_is_a_wrong_answer() -> None:
    question = streams.question(3)
    assert question.body == b"3"
    assert question.right(b"word 0\nword 1\nword 2\n")
    assert not question.right(b"word 0\nword 2\n")


def heard(*pieces: bytes) -> tuple[float, float]:
    """Let `listen` hear one answer, each piece in a read of its own."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for piece in pieces:
            theirs.send(piece)
        theirs.shutdown(socket.SHUT_WR)
        return firsts.heard(ours, streams.question(2))


def test_a_head_alone_is_not_a_first_item() -> None:
    first_ms, whole_ms = heard(CHUNKED, b"7\r\nword 0\n\r\n", b"7\r\nword 1\n\r\n0\r\n\r\n")
    assert 0 < first_ms < whole_ms
    first_ms, whole_ms = heard(CHUNKED + b"e\r\nword 0\nword 1\n\r\n0\r\n\r\n")
    assert 0 < first_ms <= whole_ms


@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED,),
        (CHUNKED, b"7\r\nword 0\n\r\n"),
        (CHUNKED, b"7\r\nword 0\n\r\n0\r\n\r\n"),
        (CHUNKED.replace(b"200", b"500"), b"e\r\nword 0\nword 1\n\r\n0\r\n\r\n"),
    ],
)
def test_a_stream_that_is_cut_or_wrong_is_told(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(Unavailable):
        heard(*pieces)


def test_streams_are_a_bench_of_their_own() -> None:
    bench = next(bench for bench in BENCHES if bench.name == "streams")
    assert Orders().names(bench.peers) == ("headrace", "litserve")


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["headrace", "litserve"])
def test_every_stream_is_heard(name: str) -> None:
    if name != "headrace" and not venvs.installed(name):
        pytest.skip(f"{name} is not installed: make bench installs it")
    with serving(streams.enlist(name, streams.LONE, None)) as server:
        waits = firsts.listen(server, 3)
    assert len(waits) == 3
    assert all(0 < first_ms <= whole_ms for first_ms, whole_ms in waits)
