"""`headrace check [TARGET]`: tell what would be served, without serving it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headrace.host.settings import Settings
    from headrace.model.application import Application
    from headrace.model.served import Served


@click.command("check")
@click.argument("target", required=False)
@click.option("-c", "--config", metavar="FILE", help="The configuration, as for serve.")
@click.option(
    "--set", "sets", metavar="DEPLOYMENT.OPTION=VALUE", multiple=True, help="As for serve."
)
def command(target: str | None, config: str | None, sets: tuple[str, ...]) -> None:
    """Import TARGET, or what the file's [applications] name, and tell what would be served.

    Every deployment of every application: where it answers, how many copies it has, how it runs.
    Exits as `serve` would.
    """
    from headrace.host.configuring import Words, configure
    from headrace.server import exit_on_start_error

    with exit_on_start_error():
        configured = configure(target, Words(sets=sets, config=config))
        found, settings = configured.found, configured.settled.settings
        if found.app is not None:
            print(f"{target}: a plain {found.app.upper()} application")
        for line in _told(found.applications, settings):
            print(line)
        print(f"on {settings.host} port {settings.port}")


def _told(applications: Iterable[Application], settings: Settings) -> Iterator[str]:
    from headrace.model.application import labels_of, routes_of
    from headrace.terms import with_workers

    applications = list(applications)
    routes = {label: route for route, label in routes_of(applications).items()}
    for label, (application, served) in labels_of(applications).items():
        if served is application.deployments[0] and len(applications) > 1:
            yield f"application {application.name} at {application.route_prefix}"
        yield _line(label, with_workers(served, settings), routes.get(label))


def _line(label: str, served: Served, route: str | None) -> str:
    from headrace.host.devices import cores
    from headrace.model.application import way_to
    from headrace.model.replicas import range_of

    where = f"{range_of(served.options.replicas, cores())} in {served.options.executor}"
    words = [word for word in (served.layout, where, served.together) if word]
    if served.functions:
        names = ", ".join(each.name for each in served.functions)
        return f"by hr.submit  {label}: {', '.join(words)}: {names}"
    way = "by handle" if route is None else way_to(served, route)
    return f"{way}  {label}: {', '.join(words)}"
