"""What a Context tells, and where it is found."""

from __future__ import annotations

import contextvars
from math import inf
from time import monotonic

import pytest

from headrace.errors import HeadraceError
from headrace.model.context import (
    Context,
    NoContext,
    abandon,
    context_of,
    current,
    current_context,
)
from headrace.model.envelope import Envelope, Head

HEADS = [(b"Accept", b"text/plain"), (b"x-a", b"1"), (b"X-A", b"2"), (b"cookie", b"a=1")]


def test_it_is_an_empty_dict_at_first() -> None:
    for context in (Context(), context_of(Envelope("r", inf, 1, None, b""))):
        assert context == {}
        context["started"] = 1.5
        assert dict(context) == {"started": 1.5}


def test_a_test_can_make_one() -> None:
    context = Context(
        request_id="r-7", attempt=2, headers={"Accept": "a/b"}, path="/x", client="::1", deadline=5
    )
    assert (context.request_id, context.attempt, context.headers["accept"]) == ("r-7", 2, "a/b")
    assert (context.path, context.client, context.deadline) == ("/x", "::1", 5)
    assert (context.job_id, context.status, context.response_headers) == (None, 200, {})


def test_headers_are_found_in_any_case_and_joined_when_repeated() -> None:
    head = Head("POST", "/p", b"", [*HEADS, (b"Cookie", b"b=2")], "10.0.0.7")
    headers = context_of(Envelope("r", inf, 1, None, b"", head)).headers
    assert headers["ACCEPT"] == headers.get("accept") == "text/plain"
    assert headers["x-A"] == "1, 2"
    assert headers["cookie"] == "a=1; b=2"
    assert list(headers) == ["accept", "x-a", "cookie"]
    assert len(headers) == 3
    assert "X-a" in headers
    assert None not in headers
    assert headers.get("missing") is None
    assert "text/plain" in repr(headers)


@pytest.mark.parametrize("word", ["headers", "path", "client"])
def test_what_was_not_sent_says_how_to_ask_for_it(word: str) -> None:
    context = context_of(Envelope("r", inf, 1, None, b""))
    with pytest.raises(HeadraceError, match="add a `context` parameter"):
        getattr(context, word)


def test_remaining_is_the_time_to_the_deadline_and_never_negative() -> None:
    assert Context().remaining() == inf
    assert 50 < Context(deadline=monotonic() + 60).remaining() <= 60
    assert Context(deadline=monotonic() - 60).remaining() == 0


def test_it_is_cancelled_when_abandoned_or_past_its_deadline() -> None:
    context = Context()
    assert not context.cancelled
    abandon(context)
    assert context.cancelled
    assert Context(deadline=monotonic() - 1).cancelled


@pytest.mark.parametrize("status", [0, 100, 199, 600])
def test_a_status_outside_200_to_599_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="200 to 599"):
        Context().status = status


def test_response_headers_can_be_set_as_a_whole() -> None:
    context, headers = Context(), {"X-A": "1"}
    context.response_headers = headers
    context.response_headers["X-B"] = "2"
    assert context.response_headers == {"X-A": "1", "X-B": "2"}
    assert headers == {"X-A": "1"}


def test_repr_tells_the_state_in_a_line() -> None:
    context = Context(request_id="r-7")
    context["n"] = 1
    assert repr(context) == "<Context r-7, attempt 1, no deadline, {'n': 1}>"
    assert " s left, {}>" in repr(Context(deadline=monotonic() + 60))
    abandon(context)
    assert repr(context) == "<Context r-7, attempt 1, cancelled, {'n': 1}>"


def test_outside_a_request_there_is_no_current_context() -> None:
    for kind in (LookupError, HeadraceError, NoContext):
        with pytest.raises(kind, match="no request is being served here"):
            contextvars.Context().run(current_context)


def test_within_a_batch_it_points_to_contexts() -> None:
    token = current.set(None)
    with pytest.raises(NoContext, match="`contexts`"):
        current_context()
    current.reset(token)
