"""Whether the folders that settings name are there, before anything starts."""

from __future__ import annotations

from pathlib import Path

from headrace.errors import ConfigError
from headrace.settings.layers import Settled

FILES = ("pidfile", "access_log", "error_log", "audit_log", "jobs_file")


def check_folders(settled: Settled) -> None:
    """Raise ConfigError, with the mend, for files in folders that are not there."""
    here = Path(settled.settings.chdir or ".")
    faults = []
    if not here.is_dir():
        source = settled.source("chdir")
        raise ConfigError(f"{source}: setting `chdir`: {here} is not there; mkdir -p {here}")
    for name in FILES:
        path = getattr(settled.settings, name)
        if path is None or path == "-":
            continue
        folder = (here / path).parent
        if not folder.is_dir():
            faults.append(
                f"{settled.source(name)}: setting `{name}`: {path} is in a folder that is not "
                f"there; mkdir -p {folder}"
            )
    if faults:
        raise ConfigError("\n".join(faults))
