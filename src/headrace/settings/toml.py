"""What a headrace.toml says: `[server]`, and `[deployments.NAME]` for each deployment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.settings.options import OptionLayer, option_said
from headrace.settings.said import Layer, from_value, known, unknown

USUAL = "headrace.toml"
TABLES: Mapping[str, str] = {"server": "settings", "deployments": "options by deployment"}
_header = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+").match
_key = re.compile(r"""\s*["']?([\w.-]+)["']?\s*=""").match


@dataclass(frozen=True, slots=True)
class FileSaid:
    """What a file says of settings and of deployments, and what is to be told of it."""

    settings: Layer = field(default_factory=dict)
    options: OptionLayer = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _reason(error: Exception) -> str:
    """Say what is wrong with a file, without its name a second time."""
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error)).lower()


def read_toml(path: str) -> FileSaid:
    """Return what the file says. Raises ConfigError with all of its faults."""
    try:
        text = Path(path).read_text("utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {_reason(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    return _Reading(path, _lines(text)).read(tables)


def _lines(text: str) -> dict[str, int]:
    """Return at which line each key stands, by its full name, as far as it can be seen."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _header(line):
            table = re.sub(r"\s*\.\s*|[\"']", lambda at: "." if "." in at[0] else "", header[1])
            found.setdefault(table, number)
        elif key := _key(line):
            found.setdefault(f"{table}.{key[1]}".strip("."), number)
    return found


class _Reading:
    """One file being read; its faults are gathered, so that all are told at once."""

    def __init__(self, path: str, lines: Mapping[str, int]) -> None:
        self._path, self._lines = path, lines
        self._faults: list[str] = []

    def read(self, tables: Mapping[str, Any]) -> FileSaid:
        for name in tables:
            if name not in TABLES:
                self._faults.append(f"{self._at(name)}: {unknown(name, TABLES, 'table')}")
        settings = {}
        for name, value in self._table(tables, "server").items():
            settings[name] = self._try(f"server.{name}", name, value, _setting)
        options = {}
        for deployment, said in self._table(tables, "deployments").items():
            place = f"deployments.{deployment}"
            options[deployment] = {
                name: self._try(f"{place}.{name}", name, value, option_said)
                for name, value in self._table({place: said}, place).items()
            }
        if self._faults:
            raise ConfigError("\n".join(self._faults))
        return FileSaid(settings, options)

    def _table(self, tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = tables.get(name, {})
        if isinstance(found, Mapping):
            return found
        self._faults.append(f"{self._at(name)}: `{name}` must be a table: [{name}]")
        return {}

    def _try(self, place: str, name: str, value: Any, read: Any) -> Any:
        try:
            return read(name, value, self._at(place))
        except ConfigError as error:
            self._faults.append(str(error))
            return None

    def _at(self, place: str) -> str:
        line = self._lines.get(place)
        return f"{self._path}:{line}" if line else self._path


def _setting(name: str, value: Any, source: str) -> Any:
    return from_value(known(name, source), value, source)
