"""The source of Headrace as the guards see it: files, trees, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "headrace"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(folder.parent.name for folder in PACKAGE.glob("*/__init__.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(file: Path) -> str:
    """Name a file as a reader would: core/engine.py."""
    return str(file.relative_to(PACKAGE))


@cache
def tree(file: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(file.read_text(), str(file))


def functions(file: Path) -> Iterator[Function]:
    """Find every function and method, nested ones too."""
    for node in ast.walk(tree(file)):
        if isinstance(node, Function):
            yield node


def body_lines(function: Function) -> int:
    """Count the lines of a body without its docstring."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    if not statements:
        return 0
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1


def module(file: Path) -> str:
    """Say what a file is imported as."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(file): file for file in FILES}


def imports(file: Path) -> Iterator[str]:
    """Name every module that a file imports, ours and others', for types and late ones too."""
    for node in ast.walk(tree(file)):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(origin, names, 0) if origin:
                for alias in names:
                    inner = f"{origin}.{alias.name}"
                    yield inner if inner in MODULES else origin
            case _:
                pass
