"""The composition root: a program's way to a running server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, Self, Unpack

from headrace.alone import applications_of, code, serve
from headrace.errors import ConfigError, StartError
from headrace.host.launching import launch
from headrace.host.settings import Settings, SettingWords, settle
from headrace.host.targets import Found
from headrace.model.application import DEFAULT, name_of, routes_of
from headrace.model.gathering import Target, Wish, gathered
from headrace.model.recording import recorded
from headrace.mounted import Mounted
from headrace.running import Running


class Server:
    """Applications and the settings they are served with."""

    def __init__(
        self,
        *targets: Target,
        name: str = DEFAULT,
        route_prefix: str | None = None,
        **settings: Unpack[SettingWords],
    ) -> None:
        """Take the models, or what was bound, of the first application; nothing starts yet.

        `add` takes others. It answers below `route_prefix`: `/`, or `/{name}` if it has a name.
        """
        self.wishes = [Wish(list(targets), name, route_prefix)] if targets else []
        self.settings: dict[str, Any] = dict(settings)

    def add(
        self, *targets: Target, name: str | None = None, route_prefix: str | None = None
    ) -> Self:
        """Serve another application too, below `route_prefix`, or else `/{name}`.

        Without a name it has that of the first of the targets. Returns the server. Raises
        ConfigError.
        """
        if not targets:
            raise ConfigError("nothing to add: name at least one model class, or what was bound")
        wishes = [*self.wishes, Wish(list(targets), name or name_of(targets[0]), route_prefix)]
        routes_of(gathered(wishes))  # say now what is wrong
        self.wishes = wishes
        return self

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then return. A start that fails exits with its code."""
        if recorded((self,), self.settings):
            return
        with exit_on_start_error():
            settings = settle(self.settings)
            serve(applications_of(self.wishes), settings)

    def start(self) -> Running:
        """Return a running server once it is ready. Raises what its start raised."""
        return Running(applications_of(self.wishes, code()), settle(self.settings))

    @property
    def asgi(self) -> Mounted:
        """The same server as an ASGI application, for another server to run."""
        return Mounted(applications_of(self.wishes), settle(self.settings))


def run(
    *targets: Target,
    name: str = DEFAULT,
    route_prefix: str | None = None,
    **settings: Unpack[SettingWords],
) -> None:
    """Serve models, or what was bound, until SIGTERM or Ctrl-C; return after a clean stop.

    A start that fails prints why and exits with the code of its StartError.
    """
    Server(*targets, name=name, route_prefix=route_prefix, **settings).run()


def start(
    *targets: Target,
    name: str = DEFAULT,
    route_prefix: str | None = None,
    **settings: Unpack[SettingWords],
) -> Running:
    """Serve models in a thread of this program; return when they are ready.

    One that this program started before, at the same address with deployments of the same names,
    is stopped first: so a notebook's cell can be run again.

    Raises SetupFailed, ConfigError, AddressError.
    """
    return Server(*targets, name=name, route_prefix=route_prefix, **settings).start()


def serve_target(target: str, found: Found, settings: Settings) -> None:
    """Serve what a command named, in workers of an arbiter, until a signal says stop.

    A debugger needs the terminal, so models to be debugged are served by this very process.

    Raises StartError.
    """
    if settings.debug and found.app is None:
        serve(found.applications, settings)
    else:
        launch(target, found, settings)


@contextlib.contextmanager
def exit_on_start_error() -> Iterator[None]:
    """Print a StartError as one message and exit with its code."""
    try:
        yield
    except StartError as error:
        told = getattr(error, "traceback", "")
        if told:
            print(told.rstrip(), file=sys.stderr)
        print(f"headrace: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
