"""`headrace serve TARGET`: serve what a file or module defines."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator
from typing import Any

import click

from headrace.cli.options import WithSettings


@click.command("serve", cls=WithSettings)
@click.argument("target", required=False)
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="A headrace.toml, or a Python file with Gunicorn's names; else ./headrace.toml.",
)
@click.option(
    "--set",
    "sets",
    metavar="DEPLOYMENT.OPTION=VALUE",
    multiple=True,
    help="Change an option of a deployment: Embed.replicas=4; may be repeated.",
)
@click.option("--lenient", is_flag=True, help="Near misses in a Python file are warnings.")
@click.option(
    "--print-config",
    is_flag=True,
    help="Print each value and where it came from, and serve nothing.",
)
def command(target: str | None, **words: Any) -> None:
    """Serve TARGET: module:Class, file.py, or file.py:Class; else the file's [applications].

    In a file without a class named, what its hr.run(...) would serve is served; else `server`,
    else `app`, else every Model it defines. Ctrl-C or SIGTERM stops the server once requests
    under way are answered; a second one hurries.

    Each setting below can also stand in headrace.toml, as max_body_bytes = "64 MiB" under [server],
    and in the environment, as HEADRACE_MAX_BODY_BYTES. The command line wins over the environment,
    that over the file, that over keywords in code.
    """
    from headrace.host.configuring import Words, configure
    from headrace.server import exit_on_start_error, serve_target
    from headrace.settings.printing import printed

    own = {name: words.pop(name) for name in ("config", "sets", "lenient", "print_config")}
    with exit_on_start_error():
        asked = Words(words, own["sets"], own["config"], own["lenient"])
        with _ended_by_sigterm():
            configured = configure(target, asked)
        for note in configured.notes:
            print(f"headrace: {note}", file=sys.stderr)
        if own["print_config"]:
            width = shutil.get_terminal_size((100, 24)).columns
            said = (configured.options, width, configured.applications)
            print(printed(configured.settled, *said))
        else:
            what = target or ", ".join(configured.applications)
            serve_target(what, configured.found, configured.settled.settings)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End cleanly if told to while the target is imported, which may take minutes.

    The kernel lets process 1 of a container ignore every signal that it has no handler for.
    """

    def end(*_: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
