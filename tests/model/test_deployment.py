"""The options of a deployment."""

from __future__ import annotations

import pickle
from math import inf, nan
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.deployment import (
    NAMES,
    Options,
    OptionWords,
    deployment,
    options_of,
    with_options,
)
from headrace.model.ranges import CHECKS


@deployment(name="front", route="/front", replicas=3, max_batch_size=4)
class Base(Model): ...


class Derived(Base): ...


@deployment(timeout_s=None)
class Redecorated(Base): ...


@deployment
class Bare(Model): ...


class Undecorated(Model): ...


def test_the_decorator_gives_the_class_itself_back() -> None:
    class Plain(Model): ...

    assert deployment(Plain) is Plain
    assert deployment(replicas=2)(Plain) is Plain


def test_a_decorated_class_has_the_options_it_was_given() -> None:
    options = options_of(Base)
    assert (options.name, options.route, options.replicas) == ("front", "/front", 3)
    assert options.given == {"name", "route", "replicas", "max_batch_size"}


def test_a_subclass_has_its_bases_options_but_not_its_name_and_route() -> None:
    options = options_of(Derived)
    assert (options.name, options.route, options.replicas) == ("derived", None, 3)
    assert options.given == {"replicas", "max_batch_size"}


def test_a_redecorated_subclass_starts_from_the_defaults() -> None:
    options = options_of(Redecorated)
    assert (options.name, options.replicas, options.timeout_s) == ("redecorated", 1, None)
    assert options_of(Base).replicas == 3


@pytest.mark.parametrize(("cls", "name"), [(Bare, "bare"), (Undecorated, "undecorated")])
def test_a_name_defaults_to_the_class_in_kebab_case(cls: type, name: str) -> None:
    assert options_of(cls) == Options(name=name)


def test_every_option_has_a_range_and_a_keyword() -> None:
    assert set(NAMES) == set(CHECKS) == set(OptionWords.__annotations__)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": ""}, "`name` must be letters"),
        ({"name": "a b"}, "`name` must be letters"),
        ({"name": 3}, "`name` must be letters"),
        ({"route": "predict"}, "`route` must be a path that begins with `/`"),
        ({"route": "/a?b"}, "`route` must be a path"),
        ({"route": "/-/health"}, "`route` must be a path outside `/-/`"),
        ({"route": "/-"}, "`route` must be a path outside `/-/`"),
        ({"replicas": 0}, "`replicas` must be a whole number of 1 or more, (least, most) such"),
        ({"replicas": (3, 2)}, 'or "auto", not (3, 2)'),
        ({"replicas": (0, 0)}, 'or "auto", not (0, 0)'),
        ({"replicas": "many"}, "or \"auto\", not 'many'"),
        ({"target_ongoing_requests": 0}, "must be a number more than 0, not 0"),
        ({"upscale_delay_s": 0}, "`upscale_delay_s` must be a number of seconds, more than 0"),
        ({"user_config": {1: 2}}, "`user_config` must be a value that JSON can say"),
        ({"user_config": [float("nan")]}, "`user_config` must be a value that JSON can say"),
        ({"replicas": True}, "`replicas` must be a whole number"),
        ({"replicas": 1.5}, "`replicas` must be a whole number"),
        ({"devices": "gpu"}, '`devices` must be "auto", "cpu", "cuda" or a list of GPU numbers'),
        ({"devices": []}, "`devices` must be"),
        ({"devices": [0, -1]}, "`devices` must be"),
        ({"devices": 1}, "`devices` must be"),
        ({"threads_per_replica": 0}, "a whole number of 1 or more, or None"),
        ({"executor": "ray"}, '`executor` must be "process" or "inline"'),
        ({"max_batch_size": 0}, "`max_batch_size` must be"),
        ({"batch_wait_s": -1}, "`batch_wait_s` must be a number of seconds, 0 or more, not -1"),
        ({"batch_wait_s": nan}, "`batch_wait_s` must be"),
        ({"max_ongoing_requests": 0}, "`max_ongoing_requests` must be"),
        ({"cancel_grace_s": -1}, "`cancel_grace_s` must be a number of seconds, 0 or more"),
        ({"interruptible": "no"}, "`interruptible` must be True or False"),
        ({"max_queued_requests": -1}, "`max_queued_requests` must be"),
        ({"timeout_s": 0}, "`timeout_s` must be a number of seconds, more than 0, or None, not 0"),
        ({"timeout_s": inf}, "`timeout_s` must be"),
        ({"timeout_s": "60"}, "`timeout_s` must be"),
        ({"retry_on_crash": 1}, "`retry_on_crash` must be True or False"),
        ({"startup_timeout_s": None}, "`startup_timeout_s` must be"),
        ({"env": {"A": 1}}, "`env` must be a mapping of text to text"),
        ({"env": {"A=B": "1"}}, "`env` must be"),
        ({"env": "A=1"}, "`env` must be"),
        ({"max_body_bytes": 0}, "`max_body_bytes` must be"),
        ({"replica": 2}, "no deployment option `replica`; did you mean `replicas`?"),
        ({"qqqq": 2}, "no deployment option `qqqq`; there are: name, route,"),
        ({"given": 2}, "no deployment option `given`"),
    ],
)
def test_an_option_out_of_range_is_refused_and_says_what_it_may_be(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        deployment(**options)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"devices": [0, 0, 1]},
        {"devices": (2,)},
        {"route": "/"},
        {"route": "/v1/größe"},
        {"name": "v1.Model_2"},
        {"timeout_s": 1},
        {"max_queued_requests": 0},
        {"env": {}},
    ],
)
def test_an_option_in_range_is_taken(options: dict[str, Any]) -> None:
    assert with_options(Options(), options).given == options.keys()


def test_the_decorator_refuses_what_is_no_class() -> None:
    wrong: Any = "front"
    with pytest.raises(ConfigError, match="goes onto a class"):
        deployment(wrong)


def test_options_do_not_change_from_afar() -> None:
    env, devices = {"A": "1"}, [0]
    options = Options(env=env, devices=devices)
    env["A"] = "2"
    devices.append(1)
    assert (options.env, options.devices) == ({"A": "1"}, (0,))


def test_changes_add_to_what_was_given() -> None:
    options = with_options(options_of(Base), {"timeout_s": 5})
    assert (options.timeout_s, options.replicas) == (5, 3)
    assert options.given == options_of(Base).given | {"timeout_s"}


def test_options_can_be_hashed_and_pickled() -> None:
    options = options_of(Base)
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - our own bytes
    assert hash(options) == hash(options_of(Base))
