"""What is taken is nobody else's, and what came back is one piece again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.memory.spans import PAGE_BYTES, Spans, rounded

END = 64


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=200))
def test_spans_never_overlap_and_grow_together_again(steps: list[tuple[bool, int]]) -> None:
    spans, taken = Spans(END), dict[int, int]()
    for takes, number in steps:
        owned = {at for start, length in taken.items() for at in range(start, start + length)}
        if takes:
            places = [
                at for at in range(END - number + 1) if owned.isdisjoint(range(at, at + number))
            ]
            start = spans.take(number)
            assert start == (places[0] if places else None), "the lowest place that fits"
            if start is not None:
                taken[start] = number
        elif taken:
            start = sorted(taken)[number % len(taken)]
            spans.give_back(start, taken.pop(start))
        assert spans.free_bytes == END - sum(taken.values())
    for start, length in taken.items():
        spans.give_back(start, length)
    assert spans.take(END) == 0, "all of it is one piece"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=10), st.data())
def test_a_trim_finds_all_that_was_used_and_nothing_that_is(
    lengths: list[int], data: st.DataObject
) -> None:
    spans = Spans(END)
    taken = {start: n for n in lengths if (start := spans.take(n)) is not None}
    used = {at for start, n in taken.items() for at in range(start, start + n)}
    back = data.draw(st.sets(st.sampled_from(sorted(taken)))) if taken else set()
    for start in back:
        spans.give_back(start, taken[start])
    free = {at for start in back for at in range(start, start + taken[start])}
    found = {at for start, n in spans.trim() for at in range(start, start + n)}
    assert found == free
    assert found <= used
    for start in set(taken) - back:
        spans.give_back(start, taken[start])
    again = {at for start, n in spans.trim() for at in range(start, start + n)}
    assert again >= used - free, "what was in use then is found later"
    assert spans.touched == 0


@given(st.integers(0, 1 << 31))
def test_lengths_are_whole_pages_and_few(size: int) -> None:
    length = rounded(size)
    assert length % PAGE_BYTES == 0
    assert size <= length
    assert length - size <= max(PAGE_BYTES, size / 8)


def test_there_are_few_lengths() -> None:
    lengths = {rounded(size) for size in range(1 << 16, 1 << 26, 4099)}
    assert len(lengths) <= 10 * 8 + 1


@pytest.mark.parametrize("length", [END + 1, END * 2])
def test_what_does_not_fit_is_not_taken(length: int) -> None:
    spans = Spans(END)
    assert spans.take(length) is None
    assert spans.take(END) == 0
    assert spans.take(1) is None
