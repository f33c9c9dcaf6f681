"""The public names resolve, are few, and are those of docs/reference.md.

The page gives each name a heading of its own: ## `hr.Model`, ### `hr.run(...)`.
"""

from __future__ import annotations

import re

import pytest

import headrace
from tests.house.sources import ROOMS, ROOT

AT_MOST = 27
REFERENCE = ROOT / "docs" / "reference.md"
HEADING = re.compile(r"^#+ `@?(?:hr|headrace)\.(\w+)[^`.]*`", re.MULTILINE)


@pytest.mark.parametrize("name", headrace.__all__)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(headrace, name) is not None


def test_public_names_are_few_and_sorted() -> None:
    assert len(headrace.__all__) <= AT_MOST
    constants_first = sorted(set(headrace.__all__), key=lambda name: (not name.isupper(), name))
    assert constants_first == list(headrace.__all__)


def test_every_public_name_is_documented_and_no_other() -> None:
    if REFERENCE.exists():  # written last
        documented = set(HEADING.findall(REFERENCE.read_text()))
        assert documented == set(headrace.__all__) - {"__version__"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_page(room: str) -> None:
    assert (ROOT / "docs" / "house" / f"{room}.md").is_file()
