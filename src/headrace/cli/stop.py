"""`headrace stop`: end a server, and wait until it has ended."""

from __future__ import annotations

import click


@click.command("stop")
@click.option("--pidfile", required=True, help="The pidfile that the server was started with.")
@click.option("--quick", is_flag=True, help="Do not wait for requests under way.")
@click.option(
    "--timeout-s", type=float, default=60.0, show_default=True, help="How long to wait for its end."
)
def command(pidfile: str, timeout_s: float, *, quick: bool) -> None:
    """Ask a server to end: requests under way are answered, nothing new is taken.

    Exits with 0 once it has ended, 1 if none runs or it takes longer than the timeout.
    """
    import signal
    from contextlib import closing

    from headrace.cli.ending import exit_on_error
    from headrace.host.asking import Process

    with exit_on_error(), closing(Process(pidfile)) as process:
        process.send(signal.SIGTERM)
        if quick:
            process.send(signal.SIGINT)  # the same signal twice could arrive as one
        if not process.has_ended(timeout_s):
            raise click.ClickException(
                f"process {process.pid} still ends after {timeout_s:g} s; "
                f"hurry it: headrace stop --quick --pidfile {pidfile}"
            )
        print(f"the server has ended (process {process.pid})")
