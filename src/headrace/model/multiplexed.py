"""`@hr.multiplexed`: a method that loads a model by its id, and keeps the few last used."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, overload

from headrace.errors import BadRequest, ConfigError
from headrace.model.beside import Beside
from headrace.model.context import Context, calls_here, served_here
from headrace.model.ranges import CHECKS
from headrace.model.shelf_async import AsyncShelf, Shop
from headrace.model.shelf_sync import SyncShelf

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
AnyShelf = AsyncShelf | SyncShelf
Listener = Callable[[Sequence[str], float], None]
"""Hears which models an object has, and how long the newest took to load; 0 if none is new."""


class NoModelId(BadRequest):
    """A deployment with many models was asked without saying for which one."""

    code = "no_model_id"


class Loader(Protocol[R_co]):
    """What the method is to its callers: they may leave the id to the request."""

    def __call__(self, model_id: str = "", /) -> R_co:
        """Return the model; without an id that of the request being served."""


class Multiplexed(Generic[S, R]):
    """A method that loads models; found on an object, it gives the models of that object."""

    def __init__(self, load: Callable[[S, str], R], max_models: int) -> None:
        """See `multiplexed`."""
        self.__func__ = load  # as bound methods have it: it tells whether one is to wait
        self.__doc__, self.__name__ = load.__doc__, load.__name__
        self.__qualname__, self.__module__ = load.__qualname__, load.__module__
        self._most = max_models
        self.is_async = inspect.iscoroutinefunction(load)
        words = f"the models of {load.__qualname__}, with @hr.multiplexed,"
        self.beside: Beside[AnyShelf] = Beside(words)

    @overload
    def __get__(self, owner: None, kind: type[S]) -> Multiplexed[S, R]: ...
    @overload
    def __get__(self, owner: S, kind: type[S] | None = None) -> Loader[R]: ...
    def __get__(
        self, owner: S | None, kind: type[S] | None = None
    ) -> Loader[R] | Multiplexed[S, R]:
        """Give the models of one object."""
        if owner is None:
            return self

        def load(model_id: str = "", /) -> R:
            wanted = model_id or _model_id_of(served_here(), self.__qualname__)
            shelf: Any = self._shelf_of(owner)
            got: R = shelf.get(wanted, calls_here())
            return got

        return load

    def __call__(self, owner: S, model_id: str = "", /) -> R:
        """Return a model of this object: `Translator.load(translator, "de")`."""
        return self.__get__(owner)(model_id)

    def __repr__(self) -> str:
        return f"<multiplexed {self.__qualname__}, {self._most} models>"

    def _shelf_of(self, owner: S) -> AnyShelf:
        shelf = self.beside.get(owner)
        if shelf is not None and shelf.loop in (None, asyncio._get_running_loop()):  # noqa: SLF001 - the public one raises
            return shelf
        changed, under_way = _told(owner), _under_way(owner)
        shop = Shop(weakref.ref(owner), self.__func__, self._most, changed, under_way)
        made = AsyncShelf(shop) if self.is_async else SyncShelf(shop)
        self.beside.put(owner, made)
        return made


class Decorate(Protocol):
    """What `@hr.multiplexed(...)` is with its number."""

    def __call__(self, load: Callable[[S, str], R], /) -> Multiplexed[S, R]:
        """Keep the models that this method loads."""


def multiplexed(*, max_models: int = 3) -> Decorate:
    """Keep at most so many models in each replica, of those that a method `load(self, id)` loads.

    `self.load(id)`, or `self.load()` for the id of the request being served, returns the model that
    is there, or loads it; the one that was not asked for longest is torn down for it, by its
    `teardown`, `aclose` or `close`, once the requests that use it have ended. Raises ConfigError.
    """
    if (wish := CHECKS["max_batch_size"](max_models)) is not None:
        raise ConfigError(f"@hr.multiplexed: `max_models` must be {wish}, not {max_models!r}")

    def decorate(load: Callable[[S, str], R], /) -> Multiplexed[S, R]:
        _check(load)
        return Multiplexed(load, max_models)

    return decorate


def _check(load: object) -> None:
    name = getattr(load, "__qualname__", repr(load))
    if not inspect.isfunction(load):
        raise ConfigError(f"@hr.multiplexed goes onto a method, not onto {name}")
    if inspect.isgeneratorfunction(load) or inspect.isasyncgenfunction(load):
        raise ConfigError(f"@hr.multiplexed on {name}: it yields; it is to return a model")
    taken = list(inspect.signature(load).parameters.values())
    needed = [each for each in taken if each.default is each.empty]
    if len(taken) < 2 or len(needed) > 2:  # noqa: PLR2004 - self and the id
        raise ConfigError(
            f"@hr.multiplexed on {name}: it is to take `self` and `model_id`, and nothing else"
        )


def _model_id_of(contexts: Sequence[Context], name: str) -> str:
    """Return the id that the requests being served ask for. Raises NoModelId."""
    ids = {context.model_id for context in contexts}
    if len(ids) > 1:
        raise NoModelId(
            f"{name}() without an id serves requests for {len(ids)} models: give it one of them"
        )
    if not any(ids):
        raise NoModelId(
            "no model is asked for: send the header X-Headrace-Model-Id, or call by "
            "`handle.options(model_id=...)`"
        )
    return ids.pop()


# --- what a replica asks of its object -------------------------------------------------------

_listeners: Beside[Listener] = Beside("what listens to models")
_calls: Beside[set[int]] = Beside("the use of models")


def is_multiplexed(target: object) -> TypeGuard[type]:
    """Tell whether a class has a method with `@hr.multiplexed`."""
    return isinstance(target, type) and bool(_methods(target))


def holds_models(target: object, layout: str) -> bool:
    """Tell the same of what is to be served. Raises ConfigError if nobody could await its load."""
    if not is_multiplexed(target):
        return False
    for method in _methods(target):
        if method.is_async and layout == "sync":
            raise ConfigError(
                f"{method.__qualname__}, with @hr.multiplexed, is `async def`, and the hooks of "
                "its class are not: no hook can await it; write them as `async def`, or it as `def`"
            )
    return True


def listen(owner: object, listener: Listener) -> None:
    """Let somebody hear of an object's models from now on, and of those that are there."""
    if is_multiplexed(type(owner)):
        _listeners.put(owner, listener)
        if models := models_of(owner):
            listener(models, 0.0)


def began(owner: object, call: int) -> None:
    """Note that a call has begun: what it asks for is its own until it has `ended`."""
    _under_way(owner).add(call)


def began_alone(owner: object, call: int) -> None:
    """Note that a call has begun where there is no other: one that was interrupted is over too."""
    for before in list(_under_way(owner)):
        ended(owner, before)
    began(owner, call)


def ended(owner: object, call: int) -> None:
    """Give back what a call has used."""
    _under_way(owner).discard(call)
    for shelf in _shelves(owner):
        shelf.ended(call)


def models_of(owner: object) -> list[str]:
    """Return the models that an object has, of all of its methods."""
    return sorted({model for shelf in _shelves(owner) for model in shelf.models})


def emptied(owner: object) -> Awaitable[None] | None:
    """Tear down every model of an object, giving an awaitable if there is something to wait for."""
    if not is_multiplexed(type(owner)):
        return None
    _listeners.put(owner, _nobody)
    waits = []
    for shelf in _shelves(owner):
        if isinstance(shelf, AsyncShelf):
            waits.append(shelf)
        else:
            shelf.empty()
    return _all_emptied(waits) if waits else None


def _nobody(_: Sequence[str], __: float) -> None:
    """Nobody listens."""


async def _all_emptied(shelves: Sequence[AsyncShelf]) -> None:
    for shelf in shelves:
        await shelf.empty()


def _shelves(owner: object) -> list[AnyShelf]:
    found = [method.beside.get(owner) for method in _methods(type(owner))]
    return [shelf for shelf in found if shelf is not None]


def _under_way(owner: object) -> set[int]:
    calls = _calls.get(owner)
    if calls is None:
        calls = set()
        _calls.put(owner, calls)
    return calls


def _methods(cls: type) -> list[Multiplexed[Any, Any]]:
    found = (inspect.getattr_static(cls, name) for name in dir(cls))
    return [each for each in found if isinstance(each, Multiplexed)]


def _told(owner: object) -> Listener:
    """Tell whoever listens to an object, if anybody does; weakly, for the object's own shelf."""
    at = weakref.ref(owner)

    def tell(_: Sequence[str], load_s: float) -> None:
        here = at()
        listener = None if here is None else _listeners.get(here)
        if listener is not None:
            listener(models_of(here), load_s)

    return tell
