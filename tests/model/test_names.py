"""How names are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.names import did_you_mean, is_slip, kebab

WORDS = st.text("abcd_", min_size=2, max_size=8)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Hello", "hello"),
        ("ImageModel", "image-model"),
        ("HTTPServer2", "http-server2"),
        ("MyHTTPServer", "my-http-server"),
        ("my_model", "my-model"),
        ("My_Model", "my-model"),
        ("_Private", "private"),
        ("A", "a"),
        ("_", "model"),
    ],
)
def test_a_class_is_named_in_kebab_case(name: str, word: str) -> None:
    assert kebab(name) == word


@given(WORDS)
def test_a_word_is_no_slip_of_itself(word: str) -> None:
    assert not is_slip(word, word)


@given(WORDS, st.data())
def test_one_letter_more_less_other_or_swapped_is_a_slip(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 2))
    slips = {
        word[:place] + "z" + word[place:],
        word[:place] + word[place + 1 :],
        word[:place] + "z" + word[place + 1 :],
        word[:place] + word[place + 1] + word[place] + word[place + 2 :],
    }
    assert all(is_slip(slip, word) for slip in slips - {word})


@given(WORDS)
def test_two_letters_more_are_no_slip(word: str) -> None:
    assert not is_slip(word + "zz", word)
    assert not is_slip("z" + word + "z", word)


def test_a_hint_is_given_only_for_what_is_near() -> None:
    assert did_you_mean("replica", ["replicas", "name"]) == "; did you mean `replicas`?"
    assert did_you_mean("colour", ["replicas", "name"]) == ""
