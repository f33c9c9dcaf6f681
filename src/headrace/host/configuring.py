"""Bring together what code, a file, the environment and a command line say of one server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.host.describing import describe_in_child, run_config_in_child
from headrace.host.filed import found_by_file
from headrace.host.targets import Found
from headrace.settings.environment import CONFIG, SET, environment, platform
from headrace.settings.flags import said_by_flags
from headrace.settings.folders import check_folders
from headrace.settings.imported import interpret
from headrace.settings.layers import Settled, said_in_code, settle_layers, stacked
from headrace.settings.options import merged, read_set_variable, read_sets
from headrace.settings.said import Layer, Said
from headrace.settings.toml import USUAL, ApplicationSaid, FileSaid, read_toml


@dataclass(frozen=True, slots=True)
class Words:
    """What a command line says beside its target."""

    flags: Mapping[str, Any] = field(default_factory=dict)
    sets: Sequence[str] = ()
    config: str | None = None
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Configured:
    """A server as all of its layers want it, and what is to be told of them."""

    found: Found
    settled: Settled
    options: Mapping[str, Mapping[str, Said]]
    notes: tuple[str, ...]
    applications: Mapping[str, ApplicationSaid] = field(default_factory=dict)
    """What the file says of the applications that are served."""


def configure(target: str | None, words: Words) -> Configured:
    """Return the server that `target` and all the layers describe. Raises StartError.

    Without a target it is that of the applications that the file names.

    The folder and the variables of the environment that the settings ask for are this process's
    own from here on, so that the target is imported with them.
    """
    read = read_config(words.config or os.environ.get(CONFIG) or None, lenient=words.lenient)
    said, notes = environment(os.environ)
    options = merged(
        read.options,
        read_set_variable(os.environ.get(SET, ""), SET),
        read_sets(words.sets, "--set"),
    )
    base = platform(os.environ)
    above = _moved(stacked(read.settings, said, said_by_flags(words.flags)))
    applications: Mapping[str, ApplicationSaid] = {}
    if target is not None:
        found = describe_in_child(target, options)
        notes = [*notes, *_left_out(read)]
    else:
        applications = read.applications
        found = found_by_file(applications, options)
    settled = settle_layers(base, said_in_code(found.settings), above)
    check_folders(settled)
    return Configured(found, settled, options, (*read.notes, *notes), applications)


def _left_out(read: FileSaid) -> Iterator[str]:
    """Tell what of a file does not count beside a target."""
    for name, said in read.applications.items():
        yield (
            f"{said.import_path.source}: application {name} is not served, for a TARGET was "
            "named; leave it out to serve the applications of the file"
        )


def read_config(path: str | None, *, lenient: bool = False) -> FileSaid:
    """Return what the configuration file says: the named one, else headrace.toml if it is here."""
    if path is None:
        return read_toml(USUAL) if Path(USUAL).is_file() else FileSaid()
    path = path.removeprefix("file:")
    if path.endswith(".toml"):
        return read_toml(path)
    if path.endswith(".py"):
        return interpret(path, run_config_in_child(path), lenient=lenient)
    raise ConfigError(f"-c {path}: a configuration file ends in .toml or .py")


def _moved(above: Layer) -> Layer:
    """Go where the settings say, with the variables they say; return them with the whole path."""
    if (variables := above.get("env")) is not None:
        os.environ.update(variables.value)
    folder = above.get("chdir")
    if folder is None or folder.value is None:
        return above
    try:
        os.chdir(folder.value)
    except OSError as error:
        raise ConfigError(
            f"{folder.source}: setting `chdir`: cannot go to {folder.value}: {error.strerror}"
        ) from error
    return {**above, "chdir": replace(folder, value=str(Path.cwd()))}
