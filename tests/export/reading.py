"""Exported files as those who run them read them: YAML, units, Dockerfiles."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import yaml

from headrace.export.facts import Facts
from headrace.export.requirements import Requirements
from headrace.settings.table import Settings


def facts_of(folder: Path, **words: Any) -> Facts:
    """Return the facts of a plain server, but for what a test says."""
    usual: dict[str, Any] = {
        "name": "shop",
        "target": "shop:app",
        "command": ("serve", "shop:app"),
        "settings": Settings(),
        "root": folder,
        "output": folder,
        "requirements": Requirements(),
    }
    return Facts(**{**usual, **words})


def unit_of(text: str) -> dict[str, dict[str, list[str]]]:
    """Read a unit; a key may stand in it several times."""
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#",), dict_type=_Several
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign] # as its documentation says
    parser.read_string(text)
    return {
        name: {key: value.split("\n") for key, value in parser[name].items()}
        for name in parser.sections()
    }


class _Several(dict[Any, Any]):
    """Keeps each value of a key that comes again."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            value = [*self[key], *value]
        super().__setitem__(key, value)


def steps_of(dockerfile: str) -> list[tuple[str, str]]:
    """Return a Dockerfile's instructions, continued lines joined."""
    bare = "\n".join(line for line in dockerfile.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", bare)
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(word, rest.strip()) for word, _, rest in pairs]


def step(dockerfile: str, word: str) -> str:
    """Return what stands behind an instruction that is there once."""
    (found,) = (rest for name, rest in steps_of(dockerfile) if name == word)
    return found


def command_in(dockerfile: str) -> list[str]:
    """Return what the container runs."""
    command: list[str] = json.loads(step(dockerfile, "CMD"))
    return command


def health_in(dockerfile: str) -> list[str]:
    """Return what tells the container's health."""
    command: list[str] = json.loads(step(dockerfile, "HEALTHCHECK").partition("CMD ")[2])
    return command


def documents(text: str) -> list[Any]:
    """Read YAML."""
    return list(yaml.safe_load_all(text))
