"""What a job answers, put together from its parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.jobs.output import LARGEST_ITEM_BYTES, Output
from headrace.model.envelope import Closed, Opened


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), odd=st.integers(0, 3))
def test_a_long_part_is_cut_between_characters(text: str, odd: int) -> None:
    output = Output("a-label")
    output.add(Opened(200, "text/plain; charset=utf-8"))
    part = "x" * odd + text * (2 * LARGEST_ITEM_BYTES // len(text))
    pieces = output.add(part.encode())
    assert all(0 < len(piece) <= LARGEST_ITEM_BYTES for piece in pieces)
    assert "".join(piece.decode() for piece in pieces) == part


def test_bytes_that_are_no_text_are_cut_too() -> None:
    output = Output("a-label")
    output.add(Opened(200, "text/plain"))
    part = b"\x80" * (3 * LARGEST_ITEM_BYTES)
    assert b"".join(output.add(part)) == part


def test_an_item_of_lines_is_an_event_without_its_line_feed() -> None:
    output = Output("a-label")
    output.add(Opened(200, "application/x-ndjson"))
    assert output.add(b'{"x":1}\n') == [b'{"x":1}']
    whole = output.end(Closed(), retry_safe=True)[1]
    assert whole is not None
    assert whole.body == b'{"x":1}\n'
