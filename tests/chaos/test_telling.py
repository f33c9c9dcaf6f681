"""The judge of the storm sees what a storm may bring: else a calm verdict says nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.chaos.telling import EVENTS, LINES, TEXT, WAYS, Ask, Listener, wrong_with

WAY = next(way for way in WAYS if way.name == "generator")
PROBLEM = {"code": "replica_lost", "request_id": "mine"}


def said(index: int, **changes: Any) -> dict[str, Any]:
    seen = dict.fromkeys(["decode_request", "predict", "encode_response"], "mine")
    told = {"nonce": "mine", "index": index, "seen": seen, "attempt": 1, "pid": 7}
    return {**told, **changes}


def event(item: Any, kind: str = "") -> bytes:
    words = msgspec.json.encode(item) if item else b""
    return (f"event: {kind}\n".encode() if kind else b"") + b"data: " + words + b"\n\n"


def line(item: Any) -> bytes:
    return msgspec.json.encode(item) + b"\n"


def heard(form: str, *chunks: bytes, cleanly: bool = True) -> tuple[str, list[str]]:
    listener = Listener(Ask(WAY, "mine", count=2, form=form))
    for chunk in chunks:
        listener.hear(chunk)
    return listener.end(cleanly=cleanly), listener.wrong


@pytest.mark.parametrize(
    ("form", "body", "cleanly", "end"),
    [
        (LINES, line(said(0)) + line(said(1)), True, "complete"),
        (TEXT, line(said(0)) + line(said(1)), True, "complete"),
        (EVENTS, event(said(0)) + event(said(1)) + event(None, "done"), True, "complete"),
        (LINES, line(said(0)) + line({"error": PROBLEM}), True, "told"),
        (EVENTS, event(said(0)) + event(PROBLEM, "error"), True, "told"),
        (TEXT, line(said(0)) + line(said(1))[:9], False, "cut"),
    ],
)
def test_a_stream_is_whole_or_says_that_it_is_not(
    form: str, body: bytes, *, cleanly: bool, end: str
) -> None:
    one_by_one = [body[at : at + 1] for at in range(len(body))]
    assert heard(form, body, cleanly=cleanly) == (end, [])
    assert heard(form, *one_by_one, cleanly=cleanly) == (end, [])


@pytest.mark.parametrize(
    ("form", "body", "cleanly", "why"),
    [
        (LINES, line(said(0)), True, "ended well with 1 of 2"),
        (EVENTS, event(said(0)) + event(said(1)), True, "ended well with 2 of 2"),
        (EVENTS, event(said(0)) + event(None, "done"), True, "ended well with 1 of 2"),
        (LINES, line(said(0)), False, "cut without a word"),
        (LINES, line(said(0)) + line(said(1)) + line(said(2)), True, "ended well with 3 of 2"),
        (LINES, line(said(1)) + line(said(0)), True, "got mine #1"),
        (LINES, line(said(0)) + line(said(1, nonce="yours")), True, "got yours #1"),
        (LINES, line(said(0)) + line(said(1, pid=8)), True, "came from"),
        (LINES, line(said(0)) + line(said(1))[:5], True, "half an item"),
        (LINES, line({"error": PROBLEM}) + line(said(0)), True, "behind the end"),
    ],
)
def test_what_is_not_as_promised_is_seen(
    form: str, body: bytes, *, cleanly: bool, why: str
) -> None:
    _, wrong = heard(form, body, cleanly=cleanly)
    assert why in " ".join(wrong)


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"decode_request": "mine", "predict": "yours", "encode_response": "mine"},
        {**said(0)["seen"], "leave": "mine"},
    ],
)
def test_a_context_that_another_hook_has_touched_is_seen(seen: dict[str, str]) -> None:
    ask = Ask(WAY, "mine")
    assert not wrong_with(ask, said(0), 0)
    assert "was seen as" in wrong_with(ask, said(0, seen=seen), 0)
