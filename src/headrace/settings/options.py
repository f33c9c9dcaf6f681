"""Options of deployments said outside of code: by file, HEADRACE_SET, and `--set`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from headrace.errors import ConfigError
from headrace.model.deployment import NAMES, Options
from headrace.model.names import did_you_mean, kebab
from headrace.model.ranges import CHECKS
from headrace.settings.kinds import kind_of
from headrace.settings.said import Said

OptionLayer = Mapping[str, Mapping[str, Said]]
"""By deployment, by option."""


def read_sets(texts: Iterable[str], source: str) -> OptionLayer:
    """Return what `Embed.replicas=4` texts say. Raises ConfigError."""
    found: dict[str, dict[str, Said]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        deployment, dot, option = place.strip().rpartition(".")
        if not (equals and dot and deployment and option):
            raise ConfigError(f"{source} {text}: write DEPLOYMENT.OPTION=VALUE: Embed.replicas=4")
        at = f"{source} {deployment}.{option}"
        found.setdefault(deployment, {})[option] = option_said(option, _value(value), at)
    return found


def read_set_variable(text: str, source: str) -> OptionLayer:
    """Return what a variable with several such texts says. Raises ConfigError."""
    try:
        return read_sets(shlex.split(text), source)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}; quote as a shell does") from error


def _value(text: str) -> Any:
    """Return a value as a file would have it; what is no number, list or such is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except (tomllib.TOMLDecodeError, KeyError):
        return None if text.lower() == "none" else text


def option_said(option: str, value: Any, source: str) -> Said:
    """Return an option's value, a text such as `64 MiB` read. Raises ConfigError."""
    if option not in NAMES:
        hint = did_you_mean(option, NAMES) or f"; there are: {', '.join(NAMES)}"
        raise ConfigError(f"{source}: there is no deployment option `{option}`{hint}")
    if wish := CHECKS[option](value):
        try:
            value = _read(option, value)
        except ValueError:
            said = "" if option == "api_keys" else f", not {value!r}"
            raise ConfigError(
                f"{source}: deployment option `{option}` must be {wish}{said}"
            ) from None
    return Said(value, source)


def _read(option: str, value: Any) -> Any:
    unit = next((unit for unit in ("s", "bytes") if option.endswith(f"_{unit}")), "")
    kind = kind_of(get_type_hints(Options)[option], unit)
    if not isinstance(value, str) or kind.read is None or kind.several:
        raise ValueError(value)
    read = kind.read(value)
    if CHECKS[option](read):
        raise ValueError(value)
    return read


def merged(*layers: OptionLayer) -> dict[str, dict[str, Said]]:
    """Return what the highest layer says that says anything, by deployment in kebab case."""
    found: dict[str, dict[str, Said]] = {}
    for layer in layers:
        for deployment, options in layer.items():
            found.setdefault(kebab(deployment), {}).update(options)
    return found


def meant_by(asked: Mapping[str, Mapping[str, Said]], labels: Iterable[str]) -> dict[str, str]:
    """Return each asked deployment's label as it is served. Raises ConfigError if there is none.

    One that is alone in having a name may be asked for without its application: `embed`, and not
    `vision.embed`.
    """
    served = {kebab(label): label for label in labels}
    short: dict[str, list[str]] = {}
    for name, label in served.items():
        short.setdefault(name.rpartition(".")[2], []).append(label)
    return {
        deployment: _meant(deployment, options, served, short)
        for deployment, options in asked.items()
    }


def _meant(
    deployment: str,
    options: Mapping[str, Said],
    served: Mapping[str, str],
    short: Mapping[str, list[str]],
) -> str:
    there = [served[deployment]] if deployment in served else short.get(deployment, [])
    if len(there) == 1:
        return there[0]
    source = next(iter(options.values())).source if options else "deployments"
    if there:
        raise ConfigError(
            f"{source}: {len(there)} deployments are called `{deployment}`; "
            f"name one of them in full: {', '.join(there)}"
        )
    hint = did_you_mean(deployment, served) or f"; there are: {', '.join(served)}"
    raise ConfigError(f"{source}: there is no deployment `{deployment}`{hint}")
