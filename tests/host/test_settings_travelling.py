"""`on_shutdown` reaches the server by its name; what has none there is refused with why."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest

from headrace.errors import ConfigError, TargetError
from headrace.host.travelling import packed, unpacked


def arrived(settings: dict[str, Any]) -> dict[str, Any]:
    sent = msgspec.msgpack.encode(packed(settings))
    found: dict[str, Any] = msgspec.msgpack.decode(sent)
    return unpacked(found)


def test_a_function_of_a_module_arrives_as_itself() -> None:
    assert arrived({"on_shutdown": shlex.split, "port": 1}) == {
        "on_shutdown": shlex.split,
        "port": 1,
    }


def test_a_function_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="no lambda"):
        packed({"on_shutdown": lambda report: None})


def test_one_that_is_no_more_there_is_told() -> None:
    sent = packed({"on_shutdown": shlex.split})
    gone = msgspec.structs.replace(sent["on_shutdown"], qualname="splot")
    with pytest.raises(TargetError, match="importing on_shutdown splot failed"):
        unpacked({"on_shutdown": gone})
