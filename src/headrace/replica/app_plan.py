"""A plain class or function, or a class with an application in front, as a replica runs it.

It is what `model.plan.Plan` is for models, of one replica: it knows also how far its life has come.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from headrace.errors import ConfigError
from headrace.model.api import Report
from headrace.model.codec import Reader
from headrace.model.deployment import Options
from headrace.model.envelope import Head, Reply
from headrace.model.ingress import app_of
from headrace.model.kinds import Kind, usual_slots, waits
from headrace.model.making import make
from headrace.model.views import bind_views, serving
from headrace.replica.asgi import scope_of, serve
from headrace.replica.asgi_types import App
from headrace.replica.exchange import Exchange
from headrace.replica.handlers import Handler
from headrace.replica.lifespan import Lifespan
from headrace.replica.methods import Methods
from headrace.replica.worked import Pool, result_of

GOODBYE_S = 30.0
"""How long the part of an application behind its `yield` may take."""
NO_HEAD = Head("GET", "/", b"", [], "")


class AppPlan:
    """See `model.plan.Plan`."""

    layout: Literal["async"] = "async"
    streams = "each"

    def __init__(self, target: Callable[..., Any], kind: Kind, options: Options) -> None:
        """Read it; raises ConfigError with the mend for a mistake in it."""
        self.target, self.kind, self.options = target, kind, options
        self._name = getattr(target, "__qualname__", None) or repr(target)
        layout = "async" if waits(target) else "sync"
        self._pool = Pool(options.max_ongoing_requests or usual_slots(kind, layout))
        self._app: App | None = None
        self._lifespan: Lifespan | None = None
        self._handler: Handler | None = None
        self._methods: Methods | None = None
        if kind == "ingress":
            self._app = app_of(target) if isinstance(target, type) else target
        else:
            self._handler = Handler(target, self._pool)
        if isinstance(target, type):
            self._takes_device = _takes_device(target)
            if self._app is not None:
                bind_views(self._app, target)

    @property
    def read(self) -> Reader | None:
        """See `model.plan.Plan`. What takes the request itself reads it as it likes."""
        return None if self._handler is None else self._handler.read

    def make(self, arguments: bytes = b"") -> Any:
        """Make the object, with packed arguments; what its `__init__` raises passes."""
        thing = make(self.target, arguments) if isinstance(self.target, type) else self.target
        self._methods = Methods(thing, self._name, self._pool)
        return thing

    async def setup(self, thing: Any, device: str, report: Report) -> None:  # noqa: ARG002 - a Model's
        """Run `setup`, then the application's start-up; what they raise passes."""
        serving.set(thing)
        if (hook := self._hook(thing, "setup")) is not None:
            await _awaited(hook(device) if self._takes_device else hook())
        if self._app is not None:
            self._lifespan = Lifespan(self._app)
            await self._lifespan.start()

    async def teardown(self, thing: Any) -> None:
        """Run the application's shutdown, then `teardown`; what that raises passes."""
        try:
            if self._lifespan is not None:
                await self._lifespan.stop(GOODBYE_S)
            if (hook := self._hook(thing, "teardown")) is not None:
                await _awaited(hook())
        finally:
            self._pool.close()

    async def health(self, thing: Any) -> bool:
        """Ask `health`; what it raises passes. A hook that returns None has found nothing wrong."""
        hook = self._hook(thing, "health")
        if hook is None:
            return True
        verdict = await result_of(hook, self._pool, on_loop=True)
        return verdict is None or bool(verdict)

    async def serve(self, exchange: Exchange) -> Reply:
        """Answer one request."""
        envelope, methods = exchange.envelope, self._methods
        if methods is None:
            raise ConfigError(f"{self._name} was not made")
        thing = methods.thing
        serving.set(thing)
        if envelope.call is not None:
            return await methods.serve(exchange, envelope.call)
        head = envelope.head or NO_HEAD
        state = {} if self._lifespan is None else self._lifespan.state
        if self._handler is not None:
            return await self._handler.serve(exchange, thing, scope_of(head, state))
        if self._app is None:
            raise ConfigError(f"{self._name} has no application")
        return await serve(self._app, exchange, head, state)

    def _hook(self, thing: Any, name: str) -> Callable[..., Any] | None:
        hook = getattr(thing, name, None) if isinstance(self.target, type) else None
        return hook if callable(hook) else None


def _takes_device(cls: type) -> bool:
    """Tell whether `setup` takes the device. Raises ConfigError for one that asks for more."""
    hook = inspect.getattr_static(cls, "setup", None)
    if not inspect.isfunction(hook):
        return False
    taken = list(inspect.signature(hook).parameters.values())[1:]
    needed = [each for each in taken if each.default is each.empty and each.kind not in _VARIABLE]
    if len(needed) > 1:
        raise ConfigError(
            f"{cls.__qualname__}.setup needs `{needed[1].name}`, which it cannot have: it may take "
            "`device`, nothing else; what the class is made with goes to its constructor"
        )
    return bool(needed) or (bool(taken) and taken[0].name == "device")


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


async def _awaited(result: object) -> None:
    if isinstance(result, Awaitable):
        await result
