"""`headrace check TARGET`: tell what would be served, without serving it."""

from __future__ import annotations

import click


@click.command("check")
@click.argument("target")
def command(target: str) -> None:
    """Import TARGET, compile its hooks, and tell what would be served; exit as `serve` would."""
    from headrace.host.describing import describe_in_child
    from headrace.host.settings import settle
    from headrace.model.served import assign_routes
    from headrace.server import exit_on_start_error

    with exit_on_start_error():
        found = describe_in_child(target)
        routes = assign_routes(found.deployments)
        settings = settle(found.settings)
        by_name = {served.name: served for served in found.deployments}
        for route, name in routes.items():
            served = by_name[name]
            copies = served.options.replicas
            where = f"{copies} in {served.options.executor}"
            words = [word for word in (served.layout, where, served.together) if word]
            print(f"POST {route}  {name}: {', '.join(words)}")
        print(f"on {settings.host} port {settings.port}")
