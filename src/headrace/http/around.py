"""What stands around the application: CORS, gzip, the user's own middleware; nothing unless asked.

From outside to inside: the request's label, CORS, gzip, a guard against what the user's middleware
may raise or send, that middleware, the front door. So a page on another origin can read a failure
too, and the user's code sees bodies as they are.

Health is asked by machines that restart us: below `/-/health` no user code is run.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace.errors import ConfigError
from headrace.host.settings import Settings
from headrace.http.guard import LABEL, Guard
from headrace.http.labels import label_of
from headrace.http.messages import App, Message, Receive, Scope, Send
from headrace.settings.checks import Middleware

PROBES = "/-/health"
LEAST_GZIP_BYTES = 1024
GZIP_LEVEL = 5
EXPOSED = ("X-Request-Id", "Retry-After", "Location", "Preference-Applied", "X-Headrace-Job")


def has_around(settings: Settings) -> bool:
    """Tell whether something is to stand around the application."""
    return bool(settings.middleware or settings.gzip or settings.cors_origins)


def surrounded(door: App, settings: Settings) -> App:
    """Return the application with what the settings put around it; itself if that is nothing.

    Only the bare front door has an express lane: with something around it, every request goes
    through that.
    """
    if not has_around(settings):
        return door
    app: App = door
    if settings.middleware:
        app = _Fork(door, Guard(_within(door, settings.middleware)))
    if settings.gzip:
        app = _compressed(app)
    if settings.cors_origins:
        app = _shared(app, settings.cors_origins)
    return _Labelled(app)


def _within(app: App, middleware: Middleware) -> App:
    for make, words in reversed(middleware):
        try:
            app = make(app, **words)
        except Exception as error:
            name = getattr(make, "__name__", repr(make))
            raise ConfigError(
                f"middleware {name} could not be made: {type(error).__name__}: {error}"
            ) from error
    return app


def _compressed(app: App) -> App:
    from starlette.middleware.gzip import GZipMiddleware  # noqa: PLC0415 - when asked for

    # Event streams are left out by its own list; other streams it flushes with every part.
    return GZipMiddleware(app, minimum_size=LEAST_GZIP_BYTES, compresslevel=GZIP_LEVEL)


def _shared(app: App, origins: Sequence[str]) -> App:
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415 - when asked for

    # No credentials: a key goes in a header that the page sets itself, and we know no cookie.
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=EXPOSED,
    )


class _Labelled:
    """Gives every request its label before anybody sees it, and every response the same."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        label = label_of(dict(scope["headers"]).get(LABEL))
        others = [header for header in scope["headers"] if header[0] != LABEL]
        scope["headers"] = [*others, (LABEL, label)]

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == LABEL for name, _ in headers):
                    message = {**message, "headers": [*headers, (LABEL, label)]}
            await send(message)

        await self._app(scope, receive, labelled)


class _Fork:
    """Leads health to the front door, everything else through the user's middleware."""

    def __init__(self, door: App, user: App) -> None:
        self._door, self._user = door, user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_probe = path == PROBES or path.startswith(f"{PROBES}/")
        await (self._door if is_probe else self._user)(scope, receive, send)
