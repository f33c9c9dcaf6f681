"""What a file serves that is asked for no name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.errors import ConfigError
from headrace.host.targets import find

HEAD = """
import headrace as hr
from fastapi import FastAPI

app = FastAPI()

@hr.deployment
class Twice:
    def __call__(self, x: int) -> int:
        return 2 * x

"""
FRONT = """
@hr.deployment
@hr.ingress(app)
class Front:
    def __init__(self, twice: hr.Handle | None = None) -> None:
        self.twice = twice

"""
Roots = Callable[[str], list[str]]


@pytest.fixture
def served(tmp_path: Path) -> Roots:
    """Return the names of what clients reach of a file with this text, and of what it uses."""

    def names(text: str) -> list[str]:
        file = tmp_path / "target.py"
        file.write_text(HEAD + text)
        found = find(str(file)).deployments
        return [each.name if each.is_root else f"({each.name})" for each in found]

    return names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["app", "(twice)"]),
        (FRONT, ["twice", "front"]),
        (FRONT + "graph = hr.bind(Front, hr.bind(Twice))", ["front", "(twice)"]),
        (FRONT + "two = hr.bind(Twice)\ngraph = hr.bind(Front, two)", ["front", "(twice)"]),
        (
            FRONT + "two = hr.bind(Twice)\none = hr.bind(Twice).options(name='one')",
            ["twice", "one"],
        ),
        (FRONT + "server = hr.Server(Twice)\ngraph = hr.bind(Front)", ["twice"]),
        (FRONT + "app = hr.bind(Front, Twice)\nother = hr.bind(Twice)", ["front", "(twice)"]),
    ],
    ids=["app beside", "app in front", "graph", "parts of it", "two", "server", "app is bound"],
)
def test_a_file_serves_what_it_means(served: Roots, text: str, expected: list[str]) -> None:
    assert sorted(served(text)) == sorted(expected)


def test_what_a_graph_uses_may_be_within_lists_and_dicts(served: Roots) -> None:
    graph = "one, two = hr.bind(Twice), hr.bind(Twice)\ntop = hr.bind(Any, [one], {'k': two})"
    text = (
        "@hr.deployment\nclass Any:\n    def __init__(self, *a): ...\n    def __call__(self): ...\n"
    )
    assert sorted(served(text + graph)) == ["(twice)", "(twice-2)", "any"]


def test_a_mistake_below_is_told_as_itself(served: Roots) -> None:
    text = (
        "class Empty(hr.Model): ...\n@hr.deployment\nclass Top:\n    def __init__(self, e): ...\n"
    )
    call = "    def __call__(self): ...\n"
    with pytest.raises(ConfigError, match="Empty") as caught:
        served(text + call + "graph = hr.bind(Top, hr.bind(Empty))")
    assert "cannot reach another process" not in str(caught.value)
