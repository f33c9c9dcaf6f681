"""What a headrace.toml says: `[server]`, `[deployments.NAME]`, `[applications.NAME]`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.settings.options import OptionLayer, option_said
from headrace.settings.said import Layer, Said, from_value, known, unknown

USUAL = "headrace.toml"
TABLES: Mapping[str, str] = {
    "server": "settings",
    "deployments": "options by deployment",
    "applications": "what is served, by application",
}
KEYS: Mapping[str, str] = {
    "import_path": "where its code is: module:attr or file.py",
    "route_prefix": "the path that it answers below",
    "deployments": "options by deployment",
}
"""What the table of an application may say."""
_header = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+").match
_key = re.compile(r"""\s*["']?([\w.-]+)["']?\s*=""").match


@dataclass(frozen=True, slots=True)
class ApplicationSaid:
    """What a file says of one application."""

    import_path: Said
    route_prefix: Said | None = None
    options: OptionLayer = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileSaid:
    """What a file says of settings, deployments, applications, and what is to be told of it."""

    settings: Layer = field(default_factory=dict)
    options: OptionLayer = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    applications: Mapping[str, ApplicationSaid] = field(default_factory=dict)


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
        options = self._options(tables, "deployments")
        applications = {
            name: self._application(f"applications.{name}", said)
            for name, said in self._table(tables, "applications").items()
        }
        if self._faults:
            raise ConfigError("\n".join(self._faults))
        return FileSaid(settings, options, applications=applications)

    def _options(self, tables: Mapping[str, Any], place: str) -> OptionLayer:
        """Read options of deployments, a table for each."""
        found = {}
        for deployment, said in self._table(tables, "deployments", place).items():
            here = f"{place}.{deployment}"
            found[deployment] = {
                option: self._try(f"{here}.{option}", option, value, option_said)
                for option, value in self._table({here: said}, here).items()
            }
        return found

    def _application(self, place: str, said: Any) -> ApplicationSaid:
        table = self._table({place: said}, place)
        for key in table:
            if key not in KEYS:
                self._faults.append(f"{self._at(f'{place}.{key}')}: {unknown(key, KEYS, 'key')}")
        if "import_path" not in table and isinstance(said, Mapping):
            self._faults.append(
                f"{self._at(place)}: [{place}] needs an import_path, such as "
                '`import_path = "module:attr"`'
            )
        options = self._options(table, f"{place}.deployments")
        prefix = self._text(table, "route_prefix", place)
        return ApplicationSaid(self._text(table, "import_path", place), prefix, options)

    def _text(self, table: Mapping[str, Any], key: str, place: str) -> Any:
        """Return a key's text with its place; None if it is not there."""
        if key not in table:
            return None
        at = self._at(f"{place}.{key}")
        if not isinstance(table[key], str) or not table[key]:
            self._faults.append(f"{at}: `{key}` must be {KEYS[key]}, not {table[key]!r}")
        return Said(table[key], at)

    def _table(self, tables: Mapping[str, Any], name: str, place: str = "") -> Mapping[str, Any]:
        found, place = tables.get(name, {}), place or name
        if isinstance(found, Mapping):
            return found
        self._faults.append(f"{self._at(place)}: `{place}` must be a table: [{place}]")
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
