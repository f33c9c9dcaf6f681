"""`headrace export`: write the files that run a server elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import click

from headrace.cli.options import WithSettings

STDOUT = "-"


@click.command("export", cls=WithSettings)
@click.argument("form", type=click.Choice(["dockerfile", "systemd", "compose", "k8s"]))
@click.argument("target")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default=".",
    help="The folder to write into; - writes to standard output.  [default: .]",
)
@click.option("--name", metavar="NAME", help="Of the image, the service, the unit.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option(
    "-c", "--config", metavar="FILE", help="The configuration, as for serve; it goes along."
)
@click.option(
    "--set", "sets", metavar="DEPLOYMENT.OPTION=VALUE", multiple=True, help="As for serve."
)
@click.option("--lenient", is_flag=True, help="Near misses in a Python file are warnings.")
def command(form: str, target: str, **words: Any) -> None:
    """Write a Dockerfile, a unit of systemd, or a file for compose or Kubernetes for TARGET.

    Run it in the folder that holds the program. TARGET and the settings below are those of `serve`:
    what is said here is said in the files. They are plain, and yours to change.
    """
    import os
    from pathlib import Path

    from headrace.export.gathering import Asked, gathered, without_our_variables
    from headrace.export.writing import WRITERS, write
    from headrace.host.configuring import Words, configure
    from headrace.server import exit_on_start_error

    own = {name: words.pop(name) for name in ("output", "name", "force", *_CONFIG)}
    root = Path.cwd()
    with exit_on_start_error():
        for name in without_our_variables(os.environ):
            _note(f"{name} is set in this shell; the files do not have it")
        asked = Asked(
            target,
            Words(words, own["sets"], own["config"], own["lenient"]),
            root,
            root / ("." if own["output"] == STDOUT else own["output"]),
            own["name"],
        )
        configured = configure(target, asked.words)
        for note in configured.notes:
            _note(note)
        facts = gathered(asked, configured, is_container=form != "systemd")
        if own["output"] == STDOUT:
            print(WRITERS[form](facts), end="")
            return
        if form != "systemd" and not facts.requirements.files:
            _note("no requirements.txt and no pyproject.toml here: the image gets headrace alone")
        for path in write(form, facts, force=own["force"]):
            _note(f"wrote {os.path.relpath(path, root)}")


_CONFIG = ("config", "sets", "lenient")


def _note(words: str) -> None:
    print(f"headrace: {words}", file=sys.stderr)
