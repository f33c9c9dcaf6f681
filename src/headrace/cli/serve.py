"""`headrace serve TARGET`: serve what a file or module defines."""

from __future__ import annotations

from typing import Any

import click

from headrace.host.settings import LEVELS


@click.command("serve")
@click.argument("target")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.  [default: 8000]")
@click.option("--log-level", type=click.Choice(LEVELS), help="[default: info]")
@click.option(
    "--graceful-timeout-s", type=float, help="How long a stop waits for requests.  [default: 30]"
)
@click.option(
    "--keep-alive-timeout-s", type=float, help="How long a silent client is kept.  [default: 75]"
)
@click.option("--max-body-bytes", type=int, help="The longest request body.  [default: 64 MiB]")
@click.option("--tls-certfile", help="Speak https with this certificate (PEM).")
@click.option("--tls-keyfile", help="Its key, where it is in a file of its own.")
@click.option("--tls-ca-certs", help="Clients must show a certificate of these authorities.")
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    help="Whose pages may ask from a browser: https://host, or *; may be repeated.",
)
@click.option("--gzip", is_flag=True, default=None, help="Compress answers of over 1 KB.")
@click.option(
    "--debug",
    is_flag=True,
    default=None,
    help="One inline replica, no deadlines, tracebacks in answers; breakpoint() works.",
)
def command(target: str, **flags: Any) -> None:
    """Serve TARGET: module:Class, file.py, or file.py:Class.

    In a file without a class named, what its hr.run(...) would serve is served; else `server`,
    else `app`, else every Model it defines. Ctrl-C or SIGTERM stops the server once requests
    under way are answered; a second one hurries.
    """
    from headrace.host.describing import describe_in_child
    from headrace.host.settings import settle
    from headrace.server import exit_on_start_error, serve

    with exit_on_start_error():
        found = describe_in_child(target)
        given = {name: value for name, value in flags.items() if value not in (None, ())}
        serve(found.deployments, settle(found.settings, given))
