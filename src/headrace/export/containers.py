"""A container: its Dockerfile, what the image leaves out, and a file for compose."""

from __future__ import annotations

import json
import os
import sys

from headrace._version import __version__
from headrace.export.facts import Facts, inside
from headrace.export.filling import form
from headrace.export.requirements import LIST, PROJECT, Requirements

USER = 10001
APP = "/app"
PIP = "RUN pip install --no-cache-dir"
LISTED = (
    "import tomllib; "
    "print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\\n')"
)
"""Writes what a pyproject.toml asks for as a list for pip: the Dockerfile keeps no second one."""


def dockerfile(facts: Facts) -> str:
    """Return a Dockerfile that serves the program as a user without rights."""
    variables = " ".join(f'{name}="{value}"' for name, value in facts.overrides.items())
    said = "# What the settings say for a machine of its own is otherwise in a container."
    return form("Dockerfile").substitute(
        target=facts.target,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        overrides=f"{said}\nENV {variables}\n" if variables else "",
        user=USER,
        install="\n".join(_install(facts.requirements)),
        port=facts.port,
        stop_s=facts.stop_s,
        startup_s=f"{facts.startup_s:.0f}",
        health=json.dumps(_health(facts)),
        command=json.dumps(_command(facts)),
    )


def dockerignore(_: Facts) -> str:
    """Return what is to stay out of the image."""
    return form("dockerignore").template


def compose(facts: Facts) -> str:
    """Return a compose file that builds the image and runs it."""
    return form("compose.yaml").substitute(
        target=facts.target,
        name=facts.name,
        context=json.dumps(os.path.relpath(facts.root, facts.output)),
        dockerfile=json.dumps(inside(str(facts.output / "Dockerfile"), facts.root, "--output")),
        port=facts.port,
        stop_s=facts.stop_s,
        startup_s=f"{facts.startup_s:.0f}",
        health=json.dumps(["CMD", *_health(facts)]),
    )


def _command(facts: Facts) -> list[str]:
    return ["headrace", *facts.command, "--host", "0.0.0.0", "--port", str(facts.port)]  # noqa: S104 - a container's own address


def _health(facts: Facts) -> list[str]:
    return ["headrace", "status", "--ready", facts.url]


def _install(requirements: Requirements) -> list[str]:
    """Return the lines that bring packages and program in, the packages first if that is possible.

    What comes first is built once and kept for as long as its files stay the same.
    """
    server = [] if requirements.has_headrace else [f"{PIP} headrace=={__version__}"]
    if requirements.needs_source:
        wanted = f"-r {LIST}" if LIST in requirements.files else "."
        return [*server, "COPY . .", f"{PIP} {wanted}"]
    lines = list(server)
    if LIST in requirements.files:
        lines += [f"COPY {file} {os.path.dirname(file) or '.'}/" for file in requirements.files]  # noqa: PTH120 - as text
        lines.append(f"{PIP} -r {LIST}")
    elif PROJECT in requirements.files:
        lines += [
            f"COPY {PROJECT} ./",
            f'RUN python -c "{LISTED}" > /tmp/{LIST} \\',
            f"    && pip install --no-cache-dir -r /tmp/{LIST}",
        ]
    lines.append("COPY . .")
    return [*lines, f"{PIP} --no-deps ."] if requirements.is_package else lines
