"""The front's limits are settings, and a setting that would let nobody in is refused."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace.host.limits import Limits
from headrace.host.settings import LEAST, Settings, settle

LIMITS = [limit.name for limit in fields(Limits)]


def test_the_defaults_are_those_of_the_front() -> None:
    assert Settings().limits() == Limits()


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_can_be_set_and_reaches_the_front(name: str) -> None:
    assert getattr(settle({name: 1234}).limits(), name) == 1234


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1, float("nan"), "many", None])
def test_a_limit_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"`{name}` must be"):
        settle({name: value})


@pytest.mark.parametrize("name", LEAST)
def test_the_least_that_is_allowed_is_allowed(name: str) -> None:
    assert getattr(settle({name: LEAST[name]}), name) == LEAST[name]
