"""`headrace delete NAME`: take an application away from a running server."""

from __future__ import annotations

import click

from headrace.cli.asking import pidfile_option, timeout_option


@click.command("delete")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@pidfile_option
@timeout_option
def command(names: tuple[str, ...], pidfile: str, timeout_s: float) -> None:
    """Let a server answer for the applications NAME... no more; requests under way end.

    Exits with 0 once nothing leads to them; else nothing has changed, and it says why.
    """
    from headrace.cli.asking import ask
    from headrace.cli.ending import exit_on_error
    from headrace.host.admin import Delete

    with exit_on_error():
        ask(pidfile, Delete(list(names)), timeout_s)
        print(f"deleted {', '.join(names)}")
