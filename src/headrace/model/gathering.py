"""What a program asks for, in the words it was asked in, becomes applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from msgspec.structs import replace

from headrace.errors import ConfigError
from headrace.model.application import DEFAULT, Application, application_of
from headrace.model.apps import is_app
from headrace.model.binding import served_from
from headrace.model.job_served import with_jobs

Target = Callable[..., Any]
"""A model, any class or function, what `hr.bind` returns, or an application."""


class Wish(NamedTuple):
    """Targets that are to be one application, under a name and a prefix if these were told."""

    targets: list[Any]
    name: str = DEFAULT
    route_prefix: str | None = None


def gathered(wishes: Iterable[Wish], code: str = "") -> list[Application]:
    """Describe the applications that are wished for; wishes of one name are one.

    The first one has the functions that run as jobs, too. `code` is what their files hold, in a few
    letters. Raises ConfigError.
    """
    found: dict[str, Wish] = {}
    for wish in wishes:
        before = found.get(wish.name, Wish([], wish.name))
        prefix = wish.route_prefix if before.route_prefix is None else before.route_prefix
        found[wish.name] = Wish([*before.targets, *wish.targets], wish.name, prefix)
    return with_jobs([_described(wish, code) for wish in found.values()])


def _described(wish: Wish, code: str) -> Application:
    apps = [target for target in wish.targets if is_app(target)]
    if len(apps) > 1:
        raise ConfigError(
            f"application {wish.name} has {len(apps)} ASGI applications, and one can stand in "
            "front: add the other under a prefix of its own, hr.Server(...).add(app, "
            'name="other", route_prefix="/other")'
        )
    deployments = [
        served if not apps or target is apps[0] else replace(served, is_root=False)
        for target in wish.targets
        for served in served_from(target)
    ]
    return application_of(deployments, wish.name, wish.route_prefix, code)
