"""Routes that are methods: each gets the object of its replica as `self`.

A route holds the function that was decorated, whatever its name is bound to by now: so two methods
of one name both work. What knows routes (FastAPI, Starlette) is known by its shape, and imported by
nobody here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from headrace.errors import ConfigError

serving: ContextVar[Any] = ContextVar("headrace_serving")
"""The object whose application answers here."""
_BOUND = "__headrace_bound__"


def bind_views(app: Any, cls: type) -> None:
    """Let the routes of an application that are methods of a class, or of its bases, have `self`.

    Done once for each route, however many replicas there are in this process. Raises ConfigError.
    """
    for routes, route in list(_routes_of(app, set())):
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None and _is_method(endpoint, cls):
            _remake(route, _bound(endpoint))
            mark = getattr(routes, "_mark_routes_changed", None)
            if mark is not None:  # a FastAPI that keeps what it has worked out of included routers
                mark()


def _routes_of(router: Any, seen: set[int]) -> Iterator[tuple[Any, Any]]:
    """Give every route with the router that has it, those of included and mounted ones too."""
    if id(router) in seen:
        return
    seen.add(id(router))
    inner = getattr(router, "router", None)
    if inner is not None:
        yield from _routes_of(inner, seen)
    for route in getattr(router, "routes", None) or ():
        yield router, route
        for below in ("original_router", "app"):
            if getattr(getattr(route, below, None), "routes", None):
                yield from _routes_of(getattr(route, below), seen)


def _is_method(endpoint: Any, cls: type) -> bool:
    """Tell whether a function was defined in the body of a class or one of its bases."""
    if not inspect.isfunction(endpoint) or hasattr(endpoint, _BOUND):
        return False
    home, _, name = endpoint.__qualname__.rpartition(".")
    for base in cls.__mro__:
        if base.__qualname__ == home and base.__module__ == endpoint.__module__:
            found = vars(base).get(name)
            return not isinstance(found, staticmethod | classmethod)
    return False


def _bound(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the same kind that takes what the method takes beside `self`."""
    parameters = list(inspect.signature(method).parameters.values())
    if not parameters or parameters[0].kind in (
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    ):
        raise ConfigError(f"{method.__qualname__} is a route and has no `self`: write it first")
    view = _of_its_kind(method)
    functools.update_wrapper(view, method)
    signature = inspect.signature(method).replace(parameters=parameters[1:])
    view.__signature__ = signature  # type: ignore[attr-defined] # what FastAPI reads
    setattr(view, _BOUND, True)
    return view


def _of_its_kind(method: Callable[..., Any]) -> Callable[..., Any]:
    """Call the method with the object that serves here; be async, or a generator, as it is."""
    if inspect.isasyncgenfunction(method):
        return _giving(method)
    if inspect.isgeneratorfunction(method):
        return _yielding(method)
    if inspect.iscoroutinefunction(method):

        async def waiting(*args: Any, **kwargs: Any) -> Any:
            return await method(serving.get(), *args, **kwargs)

        return waiting

    def returning(*args: Any, **kwargs: Any) -> Any:
        return method(serving.get(), *args, **kwargs)

    return returning


def _giving(method: Callable[..., Any]) -> Callable[..., Any]:
    async def giving(*args: Any, **kwargs: Any) -> Any:
        async for item in method(serving.get(), *args, **kwargs):
            yield item

    return giving


def _yielding(method: Callable[..., Any]) -> Callable[..., Any]:
    def yielding(*args: Any, **kwargs: Any) -> Any:
        yield from method(serving.get(), *args, **kwargs)

    return yielding


def _remake(route: Any, endpoint: Callable[..., Any]) -> None:
    """Make a route anew around another endpoint: what it was made with stands in its attributes."""
    make = _constructor(type(route))
    words = {
        name: getattr(route, name)
        for name in inspect.signature(make).parameters
        if name not in ("self", "path", "endpoint") and hasattr(route, name)
    }
    if getattr(route, "stream_item_type", None) is not None:
        words.pop("response_model", None)  # both were read off the endpoint, and will be again
    make(route, route.path, endpoint, **words)


def _constructor(kind: type) -> Callable[..., None]:
    """Return the `__init__` that names an endpoint: one of a subclass may only pass words on."""
    for base in kind.__mro__:
        make = vars(base).get("__init__")
        if make is not None and "endpoint" in inspect.signature(make).parameters:
            return make  # type: ignore[no-any-return] # a constructor
    raise ConfigError(f"{kind.__qualname__} is a route of a kind that cannot be made anew")
