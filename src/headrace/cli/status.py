"""`headrace status`: tell how a server is."""

from __future__ import annotations

from typing import Any

import click

OK = 200
READY = ("ok", "degraded")


@click.command("status")
@click.argument("url", required=False)
@click.option(
    "--pidfile",
    envvar="HEADRACE_PIDFILE",
    help="The pidfile that the server was started with, in place of a URL.",
)
@click.option("--ready", is_flag=True, help="Print nothing; the exit code tells.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it, as JSON.")
@click.option("--timeout-s", type=float, default=5.0, show_default=True)
def command(
    url: str | None, pidfile: str | None, timeout_s: float, *, ready: bool, as_json: bool
) -> None:
    """Ask the server at URL (http://host:port or unix:/path) how it is.

    A table of its applications, deployments and replicas. Exits with 0 if it is ready, 1 if it is
    not, or if none answers.
    """
    import json

    from headrace.cli.ending import exit_on_error
    from headrace.host.telling import table

    context = click.get_current_context()
    is_said = context.get_parameter_source("pidfile") is click.core.ParameterSource.COMMANDLINE
    if (url is not None and is_said) or (url is None and pidfile is None):
        raise click.UsageError(
            "name the server once: a URL such as http://127.0.0.1:8000, or --pidfile PATH"
        )
    with exit_on_error(quiet=ready):
        is_ready, told = (
            _by_pidfile(str(pidfile), timeout_s) if url is None else _by_url(url, timeout_s)
        )
        if not ready:
            print(json.dumps(told, indent=2) if as_json else table(told))
        raise SystemExit(0 if is_ready else 1)


def _by_url(url: str, timeout_s: float) -> tuple[bool, dict[str, Any]]:
    from headrace.host.asking import health_of

    code, told = health_of(url, timeout_s)
    return code == OK, told


def _by_pidfile(pidfile: str, timeout_s: float) -> tuple[bool, dict[str, Any]]:
    from contextlib import closing

    from headrace.cli.asking import ask
    from headrace.host.admin import Status
    from headrace.host.asking import NotRunning, Process

    with closing(Process(pidfile)) as process:
        if not process.known.url:
            raise NotRunning(f"the server (process {process.pid}) has not yet started")
    told = ask(pidfile, Status(), timeout_s).status
    return told.get("status") in READY, told
