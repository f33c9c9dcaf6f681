"""`headrace status`: tell how a server is."""

from __future__ import annotations

import click

OK = 200


@click.command("status")
@click.argument("url", required=False)
@click.option("--pidfile", help="The pidfile that the server was started with, in place of a URL.")
@click.option("--ready", is_flag=True, help="Print nothing; the exit code tells.")
@click.option("--timeout-s", type=float, default=5.0, show_default=True)
def command(url: str | None, pidfile: str | None, timeout_s: float, *, ready: bool) -> None:
    """Ask the server at URL (http://host:port or unix:/path) how it is.

    Exits with 0 if it is ready, 1 if it is not, or if none answers.
    """
    import json

    from headrace.cli.ending import exit_on_error
    from headrace.host.asking import health_of

    if (url is None) == (pidfile is None):
        raise click.UsageError(
            "name the server once: a URL such as http://127.0.0.1:8000, or --pidfile PATH"
        )
    with exit_on_error(quiet=ready):
        code, told = health_of(url or _url_by(str(pidfile)), timeout_s)
        if not ready:
            print(json.dumps(told, indent=2))
        raise SystemExit(0 if code == OK else 1)


def _url_by(pidfile: str) -> str:
    from contextlib import closing

    from headrace.host.asking import NotRunning, Process

    with closing(Process(pidfile)) as process:
        if not process.known.url:
            raise NotRunning(f"the server (process {process.pid}) has not yet started")
        return process.known.url
