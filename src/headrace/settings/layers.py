"""Which value wins: layers of settings, the later ones over the earlier."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.errors import ConfigError
from headrace.settings.environment import environment, platform
from headrace.settings.said import Layer, Said, unknown
from headrace.settings.table import TABLE, Settings

CODE = "code"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Settled:
    """The settings, and what was said of them at which place; the rest are defaults."""

    settings: Settings
    said: Layer

    def source(self, name: str) -> str:
        """Return where a value came from."""
        return self.said[name].source if name in self.said else DEFAULT


def stacked(*layers: Layer) -> dict[str, Said]:
    """Return what the highest layer says that says anything.

    An address is one thing with two spellings: a layer's host or port puts a lower layer's bind
    out of force.
    """
    chosen: dict[str, Said] = {}
    for layer in layers:
        if "bind" not in layer and ("host" in layer or "port" in layer):
            chosen.pop("bind", None)
        chosen |= layer
    return chosen


def settle_layers(*layers: Layer) -> Settled:
    """Return the settings of these layers. Raises ConfigError."""
    said = stacked(*layers)
    values: dict[str, Any] = {name: one.value for name, one in said.items()}
    return Settled(Settings(**values), said)


def said_in_code(settings: Mapping[str, object]) -> Layer:
    """Return keywords as a layer. Raises ConfigError for a name that is none."""
    for name in settings:
        if name not in TABLE:
            raise ConfigError(unknown(name, TABLE))
    return {name: Said(value, CODE) for name, value in settings.items()}


def settle(*layers: Mapping[str, object]) -> Settings:
    """Return the settings of these keywords, the later ones winning. Raises ConfigError.

    The environment's `HEADRACE_*` win over all of them. `$PORT` set means that a platform runs us:
    0.0.0.0 on that port, unless somebody says otherwise.
    """
    said, notes = environment(os.environ)
    del notes  # told by the command line, which has a terminal
    in_code = map(said_in_code, layers)
    return settle_layers(platform(os.environ), *in_code, said).settings
