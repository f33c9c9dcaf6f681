"""Put an ASGI application in front of a class: FastAPI, Starlette, or any other.

The application is noted on the class, and comes along where the class is imported: it is never
pickled where its module can be imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from headrace.errors import ConfigError
from headrace.model.kinds import INGRESS

C = TypeVar("C", bound=type)


def ingress(app: Callable[..., Any]) -> Callable[[C], C]:
    """Put an ASGI application, or a function without arguments that makes one, in front of a class.

    Methods of the class may be its routes, `@app.get("/{name}")`: they get the replica's own object
    as `self`. The class itself comes back. Raises ConfigError.
    """
    if not callable(app):
        raise ConfigError(
            f"@hr.ingress takes an ASGI application or a function that makes one, not {app!r}: "
            "write @hr.ingress(app) below @hr.deployment"
        )
    if isinstance(app, type):
        raise ConfigError(
            f"@hr.ingress takes an application, and {app.__qualname__} is a class: "
            "write @hr.ingress(app) above it"
        )

    def note(cls: C) -> C:
        if not isinstance(cls, type):
            raise ConfigError(f"@hr.ingress(app) goes onto a class, not onto {cls!r}")
        setattr(cls, INGRESS, app)
        return cls

    return note


def app_of(cls: type) -> Any:
    """Return the application in front of a class, made now if a function makes it."""
    noted = inspect.getattr_static(cls, INGRESS)
    if not _makes_one(noted):
        return noted
    app = noted()
    if not callable(app):
        raise ConfigError(
            f"{cls.__qualname__}: {getattr(noted, '__qualname__', noted)} was to make an ASGI "
            f"application, and returned {app!r}"
        )
    return app


def is_before(app: object, target: object) -> bool:
    """Tell whether this application stands in front of that class: then it is served with it."""
    return getattr(target, INGRESS, None) is app


def _makes_one(noted: Callable[..., Any]) -> bool:
    """Tell whether it is to be called: an application takes (scope, receive, send)."""
    try:
        inspect.signature(noted).bind()
    except (TypeError, ValueError):
        return False
    return True
