"""What the environment says: `HEADRACE_*` for each setting, and `$PORT` of a platform."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.errors import ConfigError
from headrace.settings.said import Layer, Said, from_text, near
from headrace.settings.setting import Setting
from headrace.settings.table import TABLE

PREFIX = "HEADRACE_"
CONFIG, SET = "HEADRACE_CONFIG", "HEADRACE_SET"
KEYS, KEYS_FILE = "HEADRACE_API_KEYS", "HEADRACE_API_KEYS_FILE"
VARIABLES: Mapping[str, Setting] = {
    setting.variable: setting for setting in TABLE.values() if setting.variable
}
OTHERS: Mapping[str, str] = {
    CONFIG: "the configuration file, as `-c` names it",
    SET: "options of deployments, as `--set` takes them: `Embed.replicas=4 Rank.timeout_s=10`",
    KEYS_FILE: "a file of keys, one a line",
    "HEADRACE_CLIENT_URL": "the server that `headrace jobs` asks",
    "HEADRACE_CLIENT_KEY": "the key with which it asks",
    "HEADRACE_SHUTDOWN_API_KEY": "who may stop the server over HTTP",
    "HEADRACE_SHUTDOWN_API_KEY_FILE": "a file of such keys, one a line",
}
"""Variables beside the settings' own."""
_KUBERNETES = ("HEADRACE_SERVICE_", "HEADRACE_PORT_")


def platform(variables: Mapping[str, str]) -> Layer:
    """Return what the place we run in says where nobody else does. Raises ConfigError.

    `$PORT` means every address and that port; variables with keys, that these are the keys.
    """
    keys = _keys(variables)
    said = {} if keys is None else {"api_keys": keys}
    port = variables.get("PORT")
    if not port:
        return said
    if not port.isdigit():
        raise ConfigError(f"the environment's PORT must be a number, not {port!r}")
    said["port"] = from_text(TABLE["port"], port, "PORT")
    return {**said, "host": Said("0.0.0.0", "PORT")}  # noqa: S104 - what $PORT asks for


def environment(variables: Mapping[str, str]) -> tuple[Layer, list[str]]:
    """Return what the variables say, and what is to be told of them. Raises ConfigError."""
    said: dict[str, Said] = {}
    notes: list[str] = []
    for name, text in variables.items():
        if not name.startswith(PREFIX) or name in OTHERS or name == KEYS:
            continue
        if name in VARIABLES and not _is_of_kubernetes(name, text):
            said[VARIABLES[name].name] = _read(VARIABLES[name], text, name)
        elif name in VARIABLES:
            notes.append(
                f"{name}: ignored, Kubernetes set it for a service named headrace "
                "(enableServiceLinks: false keeps it out)"
            )
        elif not name.startswith(_KUBERNETES):
            notes += _stranger(name)
    return said, notes


def _read(setting: Setting, text: str, source: str) -> Said:
    if not text and setting.kind.optional:
        return Said(None, source)
    return from_text(setting, text, source)


def _is_of_kubernetes(name: str, text: str) -> bool:
    return name == "HEADRACE_PORT" and "://" in text


def _stranger(name: str) -> list[str]:
    """Return what is to be told of a variable with our prefix that we do not know."""
    meant = near(name, {**VARIABLES, **OTHERS, KEYS: ""})
    if meant is not None:
        raise ConfigError(f"{name}: there is no such variable; did you mean `{meant}`?")
    return [f"{name}: no setting, ignored"]


def _keys(variables: Mapping[str, str]) -> Said | None:
    """Return where the environment says that keys are; an empty variable says so too."""
    found = {KEYS: f"env:{KEYS}", KEYS_FILE: f"file:{variables.get(KEYS_FILE)}"}
    given = [name for name in found if name in variables]
    if not given:
        return None
    return Said(tuple(found[name] for name in given), ", ".join(given))
