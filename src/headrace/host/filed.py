"""The applications that a configuration file names, each described in a child of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from headrace.errors import ConfigError
from headrace.host.describing import describe_in_child
from headrace.host.origin import Origin
from headrace.host.origins import shaped
from headrace.host.targets import Found
from headrace.model.application import Application, routes_of
from headrace.model.names import kebab
from headrace.settings.options import OptionLayer, meant_by, merged, read_sets
from headrace.settings.said import Said
from headrace.settings.toml import ApplicationSaid, read_toml

Options = dict[str, dict[str, Said]]


def found_by_file(said: Mapping[str, ApplicationSaid], options: OptionLayer) -> Found:
    """Return what the applications of a file are, with these options over the file's own.

    An option may be said of `vision.embed`, or of `embed` where only one application has it.
    Raises StartError.
    """
    if not said:
        raise ConfigError(
            "nothing to serve: name a TARGET, such as app.py or module:attr, or write "
            '[applications.NAME] with `import_path = "module:attr"` into headrace.toml'
        )
    own = {name: merged(told.options, _labelled(options, name)) for name, told in said.items()}
    found = {name: _found(name, told, own[name]) for name, told in said.items()}
    short = {name: told for name, told in options.items() if not _has_application(name, said)}
    for name, more in _by_application(short, found).items():
        found[name] = _found(name, said[name], merged(own[name], more))
    applications = [each for one in found.values() for each in one.applications]
    routes_of(applications)
    settings: dict[str, Any] = {}
    for one in found.values():
        settings = {**one.settings, **settings}  # what the first one says, counts
    return Found(
        applications,
        settings,
        origins=[origin for one in found.values() for origin in one.origins],
        files=sorted({file for one in found.values() for file in one.files}),
    )


def _labelled(options: OptionLayer, application: str) -> Options:
    """Return the options said of `application.deployment`, by deployment."""
    start = f"{kebab(application)}."
    return {
        name.removeprefix(start): dict(told)
        for name, told in options.items()
        if name.startswith(start)
    }


def _has_application(name: str, said: Mapping[str, ApplicationSaid]) -> bool:
    return any(name.startswith(f"{kebab(application)}.") for application in said)


def _by_application(options: OptionLayer, found: Mapping[str, Found]) -> dict[str, Options]:
    """Return options said of a plain name, by the one application that has it."""
    whose = {
        each.label(served.name): (name, served.name)
        for name, one in found.items()
        for each in one.applications
        for served in each.deployments
    }
    told: dict[str, Options] = {}
    for asked, label in meant_by(options, whose).items():
        name, deployment = whose[label]
        told.setdefault(name, {})[deployment] = dict(options[asked])
    return told


def _found(name: str, said: ApplicationSaid, options: Options) -> Found:
    prefix = None if said.route_prefix is None else said.route_prefix.value
    found = describe_in_child(said.import_path.value, options)
    origin = Origin(said.import_path.value, options, name, prefix, names=[name])
    applications = _shaped(said, origin, found)
    return msgspec.structs.replace(found, applications=applications, origins=[origin])


def _shaped(said: ApplicationSaid, origin: Origin, found: Found) -> list[Application]:
    try:
        return shaped(origin, found)
    except ConfigError as error:
        place = said.import_path if said.route_prefix is None else said.route_prefix
        raise ConfigError(f"{place.source}: {error}") from error


def origins_of_file(path: str) -> list[Origin]:
    """Return where the applications of a headrace.toml come from. Raises ConfigError."""
    read = read_toml(path)
    if not read.applications:
        raise ConfigError(f"{path} names no application: write [applications.NAME]")
    return [
        _origin(
            told.import_path.value,
            name,
            None if told.route_prefix is None else told.route_prefix.value,
            merged(told.options, _labelled(merged(read.options), name)),
        )
        for name, told in read.applications.items()
    ]


def origin_of_target(
    target: str, name: str | None, route_prefix: str | None, sets: Sequence[str]
) -> Origin:
    """Return where the application of a target comes from. Raises ConfigError."""
    return _origin(target, name, route_prefix, merged(read_sets(sets, "--set")))


def _origin(
    target: str, name: str | None, route_prefix: str | None, options: OptionLayer
) -> Origin:
    """Return an origin that means the same wherever the server runs."""
    place, colon, attribute = target.partition(":")
    if place.endswith(".py"):
        target = f"{Path(place).resolve()}{colon}{attribute}"
    told = {deployment: dict(said) for deployment, said in options.items()}
    return Origin(target, told, name, route_prefix, [str(Path.cwd())])
