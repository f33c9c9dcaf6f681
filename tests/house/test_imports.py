from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.house.sources import MODULES, PACKAGE, imports, named, tree

CORE = sorted((PACKAGE / "core").glob("*.py"))
WAITS = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
CLOCKS_AND_CHANCE = {"asyncio", "logging", "random", "secrets", "threading", "time", "datetime"}


def test_no_module_imports_itself_in_a_circle_not_even_for_types() -> None:
    graph = {name: {to for to in imports(file) if to in MODULES} for name, file in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


@pytest.mark.parametrize("file", CORE, ids=named)
def test_the_core_never_waits(file: Path) -> None:
    assert [node.lineno for node in ast.walk(tree(file)) if isinstance(node, WAITS)] == []


@pytest.mark.parametrize("file", CORE, ids=named)
def test_the_core_has_no_clock_no_chance_and_no_log(file: Path) -> None:
    assert {name.partition(".")[0] for name in imports(file)} & CLOCKS_AND_CHANCE == set()


@pytest.mark.parametrize("file", CORE, ids=named)
def test_the_core_prints_nothing_and_opens_nothing(file: Path) -> None:
    calls = [node.func for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    assert names & {"print", "open", "input"} == set()
