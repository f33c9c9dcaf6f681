"""What an application is: deployments under one name and one prefix, and the paths they answer at.

A server has one or several. Within its application a deployment goes by its plain name; outside of
it by its label, `application.deployment`. The default application's labels are the plain names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from headrace.errors import ConfigError
from headrace.model.deployment import options_of
from headrace.model.served import Served

DEFAULT, ROOT = "default", "/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PREFIX = re.compile(r"/[^\s?#%{}]*")


class Application(Struct, frozen=True):
    """Deployments that belong together."""

    name: str = DEFAULT
    route_prefix: str = ROOT
    deployments: list[Served] = []
    code: str = ""
    """What its files held when it was described, in a few letters; empty where nobody looked."""

    @property
    def served(self) -> dict[str, Served]:
        """Its deployments by their plain names."""
        return {served.name: served for served in self.deployments}

    def label(self, name: str) -> str:
        """Return what a deployment of it goes by outside of it."""
        return label_of(self.name, name)

    def __repr__(self) -> str:
        return f"<Application {self.name} at {self.route_prefix}>"


def label_of(application: str, name: str) -> str:
    """Return what a deployment of an application goes by outside of it."""
    return name if application == DEFAULT else f"{application}.{name}"


def application_of(
    deployments: Iterable[Served],
    name: str = DEFAULT,
    route_prefix: str | None = None,
    code: str = "",
) -> Application:
    """Put deployments together; the prefix is `/{name}` unless told. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "an application's name has letters, digits, `-` and `_`, and begins with a letter or "
            f"digit: {name!r} does not"
        )
    wanted = _usual_prefix(name) if route_prefix is None else route_prefix
    made = Application(name, _prefix(name, wanted), list(deployments), code)
    routes_of([made])
    return made


def as_applications(given: Sequence[Application | Served]) -> list[Application]:
    """Return the applications, unchecked; deployments alone are the default one."""
    found = [each for each in given if isinstance(each, Application)]
    alone = [each for each in given if not isinstance(each, Application)]
    return [Application(deployments=alone), *found] if alone else found


def renamed(
    application: Application, name: str | None = None, route_prefix: str | None = None
) -> Application:
    """Return it under another name or prefix, if there is one. Raises ConfigError."""
    is_usual = application.route_prefix == _usual_prefix(application.name)
    prefix = None if is_usual else application.route_prefix
    return application_of(
        application.deployments,
        name or application.name,
        prefix if route_prefix is None else route_prefix,
        application.code,
    )


def _usual_prefix(name: str) -> str:
    return ROOT if name == DEFAULT else f"/{name}"


def _prefix(name: str, wanted: str) -> str:
    """Return a prefix as it is compared: without a slash at its end. Raises ConfigError."""
    prefix = wanted.rstrip("/") or ROOT
    if not _PREFIX.fullmatch(prefix) or "//" in prefix:
        raise ConfigError(
            f"application {name}: a route_prefix is a path such as /vision, without spaces, `?`, "
            f"`#`, `%` and braces, not {wanted!r}"
        )
    if f"{prefix}/".startswith("/-/"):
        raise ConfigError(
            f"application {name}: the route_prefix {wanted} is below /-/, which is the server's "
            "own; choose another"
        )
    return prefix


def name_of(target: object) -> str:
    """Return what an application is called that nobody named: as its first target."""
    return options_of(getattr(target, "target", target)).name or DEFAULT  # type: ignore[arg-type] # Bound, or any


def labels_of(applications: Iterable[Application]) -> dict[str, tuple[Application, Served]]:
    """Return every deployment by its label. Raises ConfigError if one means two."""
    found: dict[str, tuple[Application, Served]] = {}
    for application in applications:
        for served in application.deployments:
            label = application.label(served.name)
            if label in found:
                raise ConfigError(_twice(label, found[label][0], application))
            found[label] = application, served
    return found


def _twice(label: str, one: Application, other: Application) -> str:
    if one.name == other.name:
        return f"two deployments are named {label!r}: name one of them anew"
    return (
        f"applications {one.name} and {other.name} both have a deployment that goes by {label!r}: "
        "name one of them anew"
    )


def routes_of(applications: Iterable[Application]) -> dict[str, str]:
    """Return the label of the deployment behind each path.

    A model answers at its path, anything else at every path below it too. Raises ConfigError where
    two applications have one name, or two deployments one path or one label.
    """
    applications = list(applications)
    names: set[str] = set()
    for application in applications:
        if application.name in names:
            raise ConfigError(f"two applications are named {application.name}: name one anew")
        names.add(application.name)
    labels_of(applications)
    routes: dict[str, tuple[Application, str]] = {}
    for application in applications:
        for route, name in _routes_within(application):
            if route in routes:
                raise ConfigError(_clash(route, *routes[route], application, name))
            routes[route] = application, name
    return {route: application.label(name) for route, (application, name) in routes.items()}


def _routes_within(application: Application) -> Iterable[tuple[str, str]]:
    """Give the path of each deployment that can be reached from outside."""
    is_alone = sum(served.is_root for served in application.deployments) == 1
    for served in application.deployments:
        route = served.options.route
        if route is None and not served.is_root:
            continue  # only handles reach it
        if route is None:
            route = "" if is_alone else f"/{served.name}"
            if not route and served.kind == "model" and application.route_prefix == ROOT:
                route = "/predict"
        yield joined(application.route_prefix, route), served.name


def way_to(served: Served, route: str) -> str:
    """Return how a deployment is asked at its path, in words."""
    return f"POST {route}" if served.kind == "model" else f"ANY {route.rstrip('/')}/*"


def joined(prefix: str, route: str) -> str:
    """Return a path below a prefix."""
    return f"{prefix.rstrip('/')}{route}" if route not in ("", ROOT) else prefix


def _clash(route: str, one: Application, name: str, other: Application, another: str) -> str:
    if one.name == other.name:
        return f"{name} and {another} both want the route {route}"
    return (
        f"applications {one.name} and {other.name} both want the route {route}, for {name} and "
        f"{another}: give one of them another route_prefix, or its deployment another route"
    )
