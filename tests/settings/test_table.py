"""The table is whole: its words, flags, headings and its page in the reference agree with it."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import click
import pytest

from headrace.cli.serve import command
from headrace.settings.environment import VARIABLES
from headrace.settings.flags import GROUPS, SHORT, grouped
from headrace.settings.reference import BEGIN, END, reference
from headrace.settings.table import TABLE, Settings
from headrace.settings.words import SettingWords

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_reference_is_up_to_date() -> None:
    page = REFERENCE.read_text()
    table = page[page.index(BEGIN) : page.index(END) + len(END)]
    assert table == reference(), "put what headrace.settings.reference.reference() returns there"


def test_type_checkers_know_each_setting() -> None:
    assert list(get_type_hints(SettingWords)) == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_default_is_one_that_could_be_said(name: str) -> None:
    assert TABLE[name].wish(getattr(Settings(), name)) is None


def test_each_setting_has_a_flag_and_a_variable_unless_only_code_can_say_it() -> None:
    flags = {parameter.name for parameter in command.params if isinstance(parameter, click.Option)}
    silent = set(TABLE) - flags
    assert silent == {"middleware", "on_shutdown"}
    assert {setting.name for setting in VARIABLES.values()} == set(TABLE) - silent


def test_every_setting_has_its_heading() -> None:
    assert set(GROUPS) | set(SHORT) <= set(TABLE)
    assert [one.name for group in grouped().values() for one in group] == list(TABLE)


def test_every_help_is_a_line() -> None:
    for setting in TABLE.values():
        assert setting.row.help.endswith("."), setting.name
        assert len(setting.row.help) <= 80, setting.name
