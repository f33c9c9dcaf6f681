"""A unit of systemd, which starts the server on this machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from headrace.export.facts import Facts
from headrace.export.filling import form
from headrace.settings.checks import address_parts

FIRST_FREE_PORT = 1024
CAPABILITY = "\n# Its port is below 1024.\nAmbientCapabilities=CAP_NET_BIND_SERVICE"
STARTUP_MARGIN_S = 60
"""For what is imported before the server can ask for more time itself."""


def unit(facts: Facts) -> str:
    """Return a service unit."""
    settings = facts.settings
    variables = "".join(f"\nEnvironment={name}={value}" for name, value in facts.overrides.items())
    return form("systemd.service").substitute(
        target=facts.target.replace("%", "%%"),
        name=facts.name,
        folder=str(facts.root).replace("%", "%%"),
        command=" ".join(quoted(word) for word in (*_program(), *facts.command)),
        overrides=variables,
        user=settings.user or facts.name,
        group=f"\nGroup={settings.group}" if settings.group else "",
        stop_s=facts.stop_s,
        startup_s=f"{facts.startup_s + STARTUP_MARGIN_S:.0f}",
        capabilities=CAPABILITY if _wants_a_low_port(facts) else "",
    )


def quoted(word: str) -> str:
    """Return a word as systemd reads it in ExecStart."""
    word = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", word, re.ASCII):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _program() -> tuple[str, ...]:
    """Return how this environment's own `headrace` is started, by its whole path."""
    script = Path(sys.prefix) / "bin" / "headrace"
    return (str(script),) if script.is_file() else (sys.executable, "-m", "headrace")


def _wants_a_low_port(facts: Facts) -> bool:
    settings = facts.settings
    bound = [address_parts(bind) for bind in settings.bind]
    ports = [parts[1] for parts in bound if parts] if bound else [settings.port]
    return any(0 < port < FIRST_FREE_PORT for port in ports)
