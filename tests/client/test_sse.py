"""Events are read as browsers read them, whatever stands between two of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.client.sse import Sent, sent
from headrace.core.jobs import UnixS
from headrace.http.jobs_events import framed
from headrace.interfaces import JobEvent


def test_comments_retries_and_unknown_fields_are_no_events() -> None:
    text = (
        ": hello\nretry: 5\n\nid: 1\nevent: a\nfoo: x\ndata: one\ndata:  two\ndata\n\n\ndata:x\n\n"
    )
    assert list(sent(text.splitlines(keepends=True))) == [
        Sent("1", "a", "one\n two\n"),
        Sent("1", "message", "x"),
    ]


def test_an_event_that_was_cut_off_is_left_out() -> None:
    assert list(sent(["id: 1\n", "data: cut\n"])) == []


@given(st.lists(st.tuples(st.integers(1, 10**9), st.text(), st.text(alphabet="abc", min_size=1))))
def test_what_the_server_writes_is_what_the_client_reads(
    events: list[tuple[int, str, str]],
) -> None:
    written = b"".join(
        framed(JobEvent(number, UnixS(0.0), kind, text.encode(errors="replace")))
        for number, text, kind in events
    )
    lines = written.decode().split("\n")
    read = list(sent(f"{line}\n" for line in lines))
    assert [(int(event.id), event.kind) for event in read] == [(n, kind) for n, _, kind in events]
    for event, (_, text, _) in zip(read, events, strict=True):
        plain = text.encode(errors="replace").decode()
        assert event.data == plain.replace("\r\n", "\n").replace("\r", "\n")
