"""Named schemas from several places in one namespace: a name never stands for two things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
"""One JSON Schema (2020-12), as plain data."""

PREFIX = "#/components/schemas/"
TEMPLATE = PREFIX + "{name}"


def added(taken: dict[str, Schema], tree: Any, named: Mapping[str, Schema], suffix: str) -> Any:
    """Add `named` to those taken; give back `tree`, whose references point into `taken` then.

    Where one name is taken by something else, all get the suffix: what refers to another thing
    is another thing itself.
    """
    clash = any(taken.get(name, schema) != schema for name, schema in named.items())
    names = {name: f"{name}.{suffix}" if clash else name for name in named}
    for name, schema in named.items():
        taken[names[name]] = _renamed(schema, names)
    return _renamed(tree, names)


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    if isinstance(tree, list | tuple):
        return [_renamed(part, names) for part in tree]
    if not isinstance(tree, Mapping):
        return tree
    return {key: _pointed(key, value, names) for key, value in tree.items()}


def _pointed(key: str, value: Any, names: Mapping[str, str]) -> Any:
    if key in ("$ref", "mapping") and not isinstance(value, str):
        return {word: _to(place, names) for word, place in value.items()}
    return _to(value, names) if key == "$ref" else _renamed(value, names)


def _to(place: str, names: Mapping[str, str]) -> str:
    name = place.removeprefix(PREFIX)
    return PREFIX + names.get(name, name)
