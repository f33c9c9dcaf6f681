"""Which packages a program asks for, read from its requirements.txt or its pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError

LIST, PROJECT = "requirements.txt", "pyproject.toml"
CONSTRAINTS = ("-c", "--constraint")
"""They name versions, and ask for nothing."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Where the packages are named, and what installing them takes."""

    files: tuple[str, ...] = ()
    """The file that names them, and those that it includes; empty if there is none."""
    names: frozenset[str] = frozenset()
    needs_source: bool = False
    """Whether the program itself must be there to install them."""
    is_package: bool = False
    """Whether the program is one that is to be installed."""

    @property
    def has_headrace(self) -> bool:
        """Whether they bring the server along."""
        return "headrace" in self.names


def read_requirements(root: Path) -> Requirements:
    """Return what the folder's requirements.txt says, else its pyproject.toml. Raises ConfigError.

    A requirements.txt is the narrower list, often with every version pinned, so it goes first.
    """
    project = _project(root)
    is_package = "project" in project and "build-system" in project
    if (root / LIST).is_file():
        files: list[str] = []
        lines = list(_read_list(root, LIST, files))
        return Requirements(
            tuple(files),
            _names(lines),
            needs_source=any(_is_local(line) for line in lines),
            is_package=is_package,
        )
    table = project.get("project", {})
    is_dynamic = "dependencies" in table.get("dynamic", ())
    if not (table.get("dependencies") or is_package):
        return Requirements()
    names = _names(table.get("dependencies", ()))
    return Requirements((PROJECT,), names, needs_source=is_dynamic, is_package=is_package)


def _project(root: Path) -> dict[str, Any]:
    path = root / PROJECT
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _read_list(root: Path, file: str, files: list[str]) -> Iterator[str]:
    """Yield the lines of a list and of those that it includes; note each file in `files`."""
    files.append(file)
    try:
        text = (root / file).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{root / file}: {error.strerror}") from error
    for line in text.splitlines():
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        found = re.match(r"(-r|-c|--requirement|--constraint)[\s=]*(\S+)", bare)
        if found is None:
            yield bare
            continue
        other = os.path.normpath(os.path.join(os.path.dirname(file), found[2]))  # noqa: PTH118, PTH120 - as text
        if other not in files:
            named = list(_read_list(root, other, files))
            yield from () if found[1] in CONSTRAINTS else named


def _names(lines: Iterable[str]) -> frozenset[str]:
    """Return the packages that the lines name, spelled as the packaging standards compare them."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return frozenset(re.sub(r"[-_.]+", "-", name[0]).lower() for name in found if name)


def _is_local(line: str) -> bool:
    return bool(re.match(r"(-e|--editable)\b|\.|file:", line))
