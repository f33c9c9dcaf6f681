"""The table of settings as a page of the reference shows it."""

from __future__ import annotations

from headrace.settings.flags import default_in_words
from headrace.settings.setting import Setting
from headrace.settings.table import TABLE

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"


def reference() -> str:
    """Return the table in Markdown: name, default, meaning, flag, Gunicorn's name."""
    rows = [
        "| setting | default | meaning | flag | Gunicorn |",
        "|---|---|---|---|---|",
        *(_row(setting) for setting in TABLE.values()),
    ]
    return "\n".join([BEGIN, *rows, END])


def _row(setting: Setting) -> str:
    meaning = setting.row.help.replace("|", "\\|").replace("*", "\\*")
    who = " A reload leaves it as it is." if setting.row.restart else ""
    flag = f"`{setting.flag}`" if setting.flag else "in code only"
    theirs = f"`{setting.row.gunicorn}`" if setting.row.gunicorn else ""
    return f"| `{setting.name}` | {_default(setting)} | {meaning}{who} | {flag} | {theirs} |"


def _default(setting: Setting) -> str:
    if setting.name == "access_log_format":
        return "Gunicorn's"
    if setting.unit == "bytes" and setting.default:
        return default_in_words(setting)
    value = setting.default
    return f"`{value:g}`" if isinstance(value, float) else f"`{value!r}`"
