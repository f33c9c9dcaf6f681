"""Settings as a headrace.toml that says where each value came from, fitting a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from headrace.settings.layers import Settled
from headrace.settings.said import Said
from headrace.settings.setting import Setting
from headrace.settings.table import TABLE
from headrace.settings.toml import ApplicationSaid

MASK = "is set, and not shown"
_HIDDEN = ("key", "token", "secret", "password", "passwd", "credential", "dsn")
"""An environment variable with one of these in its name is for nobody's eyes."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_FIRST_PRINTED = 0x20
_DELETE = 0x7F


def printed(
    settled: Settled,
    options: Mapping[str, Mapping[str, Said]],
    width: int,
    applications: Mapping[str, ApplicationSaid] = MappingProxyType({}),
) -> str:
    """Return all settings, the applications and options that were said, as TOML with comments."""
    lines = ["[server]"]
    for setting in TABLE.values():
        value = getattr(settled.settings, setting.name)
        lines += _entry(setting, value, settled.source(setting.name), width)
    lines += _options("deployments", options, width)
    for application, told in applications.items():
        place = f"applications.{_table_name(application)}"
        lines += ["", f"[{place}]"]
        for name in ("import_path", "route_prefix"):
            one: Said | None = getattr(told, name)
            if one is not None:
                lines += _with_source(_pair(name, one.value, width), one.source, width)
        lines += _options(f"{place}.deployments", told.options, width)
    return "\n".join(lines)


def _options(place: str, options: Mapping[str, Mapping[str, Said]], width: int) -> Iterator[str]:
    for deployment, said in options.items():
        yield from ("", f"[{place}.{_table_name(deployment)}]")
        for name, one in said.items():
            yield from _said_option(name, one, width)


def _table_name(deployment: str) -> str:
    return deployment if re.fullmatch(r"[A-Za-z0-9_-]+", deployment) else _quoted(deployment)


def _said_option(name: str, one: Said, width: int) -> list[str]:
    if name == "api_keys" and _is_secret_key(one.value):
        return _with_source(f"# {name} {MASK}", one.source, width)
    return _with_source(_pair(name, one.value, width), one.source, width)


def _entry(setting: Setting, value: Any, source: str, width: int) -> list[str]:
    if value is None or (setting.kind.read is None and not value):
        return _with_source(f"# {setting.name} is not set", source, width)
    if setting.kind.read is None:
        return _with_source(f"# {setting.name} is code", source, width)
    if setting.row.secret and _is_secret_key(value):
        return _with_source(f"# {setting.name} {MASK}", source, width)
    if setting.name == "env" and (hidden := [name for name in value if _is_hidden(name)]):
        shown = {name: text for name, text in value.items() if name not in hidden}
        masked = [f"# env: {name} {MASK}" for name in hidden]
        return [*masked, *_with_source(_pair("env", shown, width), source, width)]
    text = f"{value:#o}" if setting.row.octal else None
    whole = f"{setting.name} = {text}" if text else _pair(setting.name, value, width)
    return _with_source(whole, source, width)


def _is_secret_key(value: Any) -> bool:
    """Tell whether it holds a secret itself, and not the place of one."""
    texts = [value] if isinstance(value, str) else value or ()
    return not all(text.startswith(("env:", "file:")) for text in texts)


def _is_hidden(variable: str) -> bool:
    return any(word in variable.lower() for word in _HIDDEN)


def _with_source(pair: str, source: str, width: int) -> list[str]:
    """Return an entry with its source: behind it where it fits, else in a line above."""
    one_line = f"{pair:<34}  # {source}"
    if "\n" not in pair and len(one_line) <= width:
        return [one_line]
    return [f"# {source}:", pair] if len(source) + 3 <= width else [f"# {source}", pair]


def _pair(name: str, value: Any, width: int) -> str:
    whole = f"{name} = {toml_value(value)}"
    if len(whole) <= width:
        return whole
    if isinstance(value, str):
        return f'{name} = """\\\n' + "\\\n".join(_chunks(value, width - 2)) + '"""'
    if isinstance(value, Sequence):
        inner = "".join(f"  {toml_value(one)},\n" for one in value)
        return f"{name} = [\n{inner}]"
    return whole


def _chunks(text: str, width: int) -> Iterator[str]:
    """Cut a text into lines; TOML drops spaces that begin one, so these are spelled out."""
    line = ""
    for char in text:
        escaped = _escaped(char)
        if len(line) + len(escaped) > width - 3:
            yield line
            line = ""
        line += "\\u0020" if char == " " and not line else escaped
    yield line


def toml_value(value: Any) -> str:
    """Return a value as TOML has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value!r}"
        case str():
            return _quoted(value)
        case Mapping():
            pairs = (f"{_quoted(name)} = {toml_value(one)}" for name, one in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case _:
            return f"[{', '.join(toml_value(one) for one in value)}]"


def _quoted(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    number = ord(char)
    return f"\\u{number:04x}" if number < _FIRST_PRINTED or number == _DELETE else char
