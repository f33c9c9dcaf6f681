"""`headrace deploy TARGET`: add an application to a running server, or replace one."""

from __future__ import annotations

import click

from headrace.cli.asking import pidfile_option, timeout_option


@click.command("deploy")
@click.argument("target")
@click.option("--name", metavar="NAME", help="What the application is called; else as in its code.")
@click.option("--route-prefix", metavar="/PATH", help="The path that it answers below; else /NAME.")
@click.option(
    "--set",
    "sets",
    metavar="DEPLOYMENT.OPTION=VALUE",
    multiple=True,
    help="Change an option of a deployment: Embed.replicas=4; may be repeated.",
)
@pidfile_option
@timeout_option
def command(
    *,
    target: str,
    name: str | None,
    route_prefix: str | None,
    sets: tuple[str, ...],
    pidfile: str,
    timeout_s: float,
) -> None:
    """Serve TARGET beside what a server serves, or in place of the application of its name.

    TARGET is what `serve` takes, or a headrace.toml: then every application that it names. Only
    what differs is replaced: what is new is ready before a route leads to it, and what is old ends
    its requests. Exits with 0 once it serves; else nothing has changed, and it says why.
    """
    from headrace.cli.asking import ask
    from headrace.cli.ending import exit_on_error
    from headrace.host.admin import Deploy
    from headrace.host.filed import origin_of_target, origins_of_file

    with exit_on_error():
        if target.endswith(".toml"):
            if name or route_prefix or sets:
                raise click.UsageError("a file says names, prefixes and options itself")
            origins = origins_of_file(target)
        else:
            origins = [origin_of_target(target, name, route_prefix, sets)]
        answer = ask(pidfile, Deploy(origins), timeout_s)
        print("\n".join(["deployed", *answer.told]))
