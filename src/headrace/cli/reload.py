"""`headrace reload`: let a server read its code again, and say how that went."""

from __future__ import annotations

import click


@click.command("reload")
@click.option("--pidfile", required=True, help="The pidfile that the server was started with.")
@click.option(
    "--timeout-s",
    type=float,
    default=600.0,
    show_default=True,
    help="How long the new code may take to be ready.",
)
def command(pidfile: str, timeout_s: float) -> None:
    """Load the code anew beside what is served, and switch over once it is ready.

    Exits with 0 once the new code serves; with 1 if it failed: then what was served still is.
    """
    import signal
    from contextlib import closing

    from headrace.cli.ending import exit_on_error
    from headrace.host.asking import NotRunning, Process

    with exit_on_error(), closing(Process(pidfile)) as process:
        if not process.known.url:
            raise NotRunning(
                f"the server (process {process.pid}) has not yet started; ask again once it serves"
            )
        before = process.known.reloads
        process.send(signal.SIGHUP)
        known = process.reloaded(before, timeout_s)
        if known is None:
            raise click.ClickException(
                f"the new code is not ready after {timeout_s:g} s; what was served goes on, and "
                "the server's log tells more"
            )
        if known.fault:
            raise click.ClickException(f"nothing has changed: {known.fault}")
        print(f"the new code serves at {known.url}")
