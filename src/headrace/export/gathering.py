"""From a described server to the facts that its files are made of."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.errors import ConfigError
from headrace.export.containers import APP
from headrace.export.facts import Facts, inside, name_of
from headrace.export.requirements import read_requirements
from headrace.host.configuring import Configured, Words
from headrace.model.deployment import Options
from headrace.model.replicas import range_of
from headrace.settings.environment import PREFIX
from headrace.settings.flags import FLAGS
from headrace.settings.table import Settings

ADDRESS = ("host", "port", "bind")
STREAMS = (None, "-")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for: of what, and into which folder."""

    target: str
    words: Words
    root: Path
    output: Path
    name: str | None = None


def without_our_variables(variables: MutableMapping[str, str]) -> list[str]:
    """Take what this shell says of servers out of an environment; return the names, sorted.

    It is said of this machine, and would stand in the files as if the program had said it.
    """
    names = sorted(name for name in variables if name.startswith(PREFIX) or name == "PORT")
    for name in names:
        del variables[name]
    return names


def gathered(asked: Asked, configured: Configured, *, is_container: bool) -> Facts:
    """Return what the files need to know. Raises ConfigError for what they cannot say."""
    settings = configured.settled.settings
    overrides = _overrides(settings, asked.root, is_container=is_container)
    if is_container:
        _check_container(settings)
    options = [served.options for served in configured.found.deployments]
    left_out = {*overrides, *(ADDRESS if is_container else ())}
    return Facts(
        name=name_of(asked.target, asked.name),
        target=asked.target,
        command=_command(asked, left_out),
        settings=settings,
        root=asked.root,
        output=asked.output,
        requirements=read_requirements(asked.root),
        is_app=configured.found.app is not None,
        startup_s=max([settings.startup_timeout_s, *(one.startup_timeout_s for one in options)]),
        cpus=_replicas(options) + 1 if options else settings.workers,
        gpus=len(set().union(*map(_gpus, options))),
        overrides={f"{PREFIX}{name.upper()}": text for name, text in overrides.items()},
    )


def _replicas(options: Sequence[Options]) -> int:
    """Return how many there may be; of "auto" nobody knows before the machine is there."""
    return sum(range_of(one.replicas, 1).most for one in options)


def _gpus(options: Options) -> set[int]:
    if isinstance(options.devices, str):
        return {0} if options.devices == "cuda" else set()
    return {int(device) for device in options.devices}


def _overrides(settings: Settings, root: Path, *, is_container: bool) -> dict[str, str]:
    """Return the settings that are for a machine of its own, as the file is to say them."""
    said = {"daemon": "false"} if settings.daemon else {}
    if not is_container:
        return said
    said |= {name: "" for name in ("user", "group", "pidfile") if getattr(settings, name)}
    logs = ("access_log", "error_log")
    said |= {name: "-" for name in logs if getattr(settings, name) not in STREAMS}
    if settings.chdir is not None:
        said["chdir"] = f"{APP}/{inside(settings.chdir, root, 'setting `chdir`:')}"
    return said


def _check_container(settings: Settings) -> None:
    if settings.tls_ca_certs is not None:
        raise ConfigError(
            "setting `tls_ca_certs` asks every client for a certificate, and probes have none: "
            "leave it out here, and let a proxy in front ask for certificates"
        )


def _command(asked: Asked, left_out: set[str]) -> tuple[str, ...]:
    """Return the command line of the server, as it is within the program's folder."""
    words = asked.words
    config = [] if words.config is None else ["-c", _path(words.config, asked.root, "-c")]
    sets = [word for one in words.sets for word in ("--set", one)]
    lenient = ["--lenient"] if words.lenient else []
    flags = _flags({name: one for name, one in words.flags.items() if name not in left_out})
    return ("serve", _target(asked), *config, *lenient, *flags, *sets)


def _path(path: str, root: Path, what: str) -> str:
    return inside(str(root / path.removeprefix("file:")), root, what)


def _target(asked: Asked) -> str:
    """Return the target as it is found from the folder that the server runs in."""
    place, colon, attribute = asked.target.partition(":")
    if not place.endswith(".py"):
        return asked.target
    here = Path.cwd()  # where the settings' chdir has led
    inside(place, asked.root, "the program")
    return f"{inside(place, here, 'the program')}{colon}{attribute}"


def _flags(given: Mapping[str, Any]) -> list[str]:
    """Return flags as they were typed."""
    typed: list[str] = []
    for name, value in given.items():
        flag = FLAGS[name].flag
        if isinstance(value, bool):
            typed.append(flag if value else f"--no-{flag.removeprefix('--')}")
        elif isinstance(value, str):
            typed.append(f"{flag}={value}")
        elif isinstance(value, Sequence):
            typed += [f"{flag}={one}" for one in value]
    return typed
