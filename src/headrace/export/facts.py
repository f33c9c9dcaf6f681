"""What the files need to know of a server: its command, its address, its times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headrace.core.draining import KILL_AFTER_S
from headrace.errors import ConfigError
from headrace.export.requirements import Requirements
from headrace.host.farewell import WITHIN_S as FAREWELL_S
from headrace.settings.checks import address_parts
from headrace.settings.table import Settings

MARGIN_S = 5
"""What the tree itself takes to end, on a machine that is busy."""
LONGEST_NAME = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One server, as those who start it from outside see it."""

    name: str
    """A DNS label: of the image, the service, the unit."""
    target: str
    command: tuple[str, ...]
    """What follows `headrace` on a command line; the address is in the settings."""
    settings: Settings
    root: Path
    """The folder that holds the program."""
    output: Path
    """The folder that the files are for."""
    requirements: Requirements
    is_app: bool = False
    startup_s: float = 600.0
    """How long it may load."""
    cpus: int = 1
    """How many processes may be at work at once."""
    gpus: int = 0
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Variables that undo what the settings say for a machine of its own."""

    @property
    def stop_s(self) -> int:
        """How long its stop may take: whoever kills it sooner loses requests."""
        settings = self.settings
        wait_s = settings.drain_delay_s + settings.graceful_timeout_s + settings.drain_linger_s
        farewell_s = FAREWELL_S if settings.on_shutdown is not None else 0.0
        return round(wait_s + KILL_AFTER_S + farewell_s + 0.5) + MARGIN_S

    @property
    def port(self) -> int:
        """The port that a container opens. Raises ConfigError if it has none."""
        return _port_of(self.settings)

    @property
    def url(self) -> str:
        """Where its health is asked for, beside it."""
        return f"{self.settings.scheme}://127.0.0.1:{self.port}"


def _port_of(settings: Settings) -> int:
    parts = [address_parts(bind) for bind in settings.bind]
    ports = [found[1] for found in parts if found] if parts else [settings.port]
    if not ports:
        raise ConfigError(
            f"a container is reached by a port, and this server listens on "
            f"{', '.join(settings.bind)}; give it one: --port 8000"
        )
    if not ports[0]:
        raise ConfigError("port 0 takes any free one, which nobody could find: --port 8000")
    return ports[0]


def name_of(target: str, wish: str | None) -> str:
    """Return the name for image, service and unit. Raises ConfigError for a wish that is none."""
    if wish is not None:
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", wish):
            raise ConfigError(
                f"--name must be small letters, digits and hyphens, a letter first, not {wish!r}"
            )
        return wish
    place, _, _ = target.partition(":")
    stem = Path(place).stem if place.endswith(".py") else place.rpartition(".")[2]
    label = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-0123456789")
    return label[:LONGEST_NAME].strip("-") or "server"


def inside(path: str, root: Path, what: str) -> str:
    """Return a path as it is from the program's folder. Raises ConfigError if it lies outside."""
    try:
        return str(Path(path).resolve().relative_to(root.resolve()))
    except ValueError:
        raise ConfigError(
            f"{what} {path} is not below {root}, the folder that goes along with the files; "
            "run this command in the folder that holds all of the program"
        ) from None
