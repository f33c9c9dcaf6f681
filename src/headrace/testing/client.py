"""A client and its server in one test: real HTTP, no port, no process."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import msgspec

from headrace.errors import ConfigError, SetupFailed
from headrace.host.settings import Settings, SettingWords, settle
from headrace.model.application import Application
from headrace.model.gathering import Target, Wish, gathered
from headrace.model.source import staying
from headrace.server import Server
from headrace.service import Service

if TYPE_CHECKING:
    import httpx2

URL = "http://test"


class RequestWords(TypedDict, total=False):
    """What httpx2 takes with a request."""

    json: Any
    content: str | bytes
    data: Mapping[str, Any]
    files: Any
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    cookies: dict[str, str]


class Client:
    """Ask models over HTTP within this process; use it as a context manager, or call `close`.

    Everything is what `hr.start` would run, but for two things: a request comes in as ASGI
    messages instead of through a port, and every model runs once, inline, on an event loop in a
    thread of this client's own. Ask from many threads, and what they ask is batched.
    """

    def __init__(self, *targets: Target | Server, **settings: Unpack[SettingWords]) -> None:
        """Return when every model is ready.

        Raises SetupFailed if a `setup` raised, ConfigError, and ModuleNotFoundError without httpx2.
        """
        _require_httpx2()
        wishes, chosen = _gathered(targets, settings)
        with staying():
            served = [_inline(application) for application in gathered(wishes)]
        self._wishes = wishes  # a resident class lives as long as somebody holds it
        self._opened: Future[tuple[Service, httpx2.AsyncClient]] = Future()
        self._lock = threading.Lock()
        self._is_open = True
        self._thread = threading.Thread(
            target=self._run,
            args=(served, settle(chosen)),
            name="headrace test client",
            daemon=True,
        )
        self._thread.start()
        try:
            self._service, self._http = self._opened.result()
        except BaseException:
            self._thread.join()
            raise
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        targets = [target for wish in self._wishes for target in wish.targets]
        names = ", ".join(getattr(target, "__name__", repr(target)) for target in targets)
        return f"<Client of {names}{'' if self._is_open else ', closed'}>"

    def request(self, method: str, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a request and return the whole response; raises RuntimeError once closed."""
        with self._lock:  # so that whatever is asked is on its way before the service stops
            if not self._is_open:
                raise RuntimeError("this client is closed")
            asking = self._http.request(method, url, **words)
            asked = asyncio.run_coroutine_threadsafe(asking, self._loop)
        return asked.result()

    def get(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a GET."""
        return self.request("GET", url, **words)

    def post(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a POST."""
        return self.request("POST", url, **words)

    def put(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a PUT."""
        return self.request("PUT", url, **words)

    def patch(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a PATCH."""
        return self.request("PATCH", url, **words)

    def delete(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a DELETE."""
        return self.request("DELETE", url, **words)

    def head(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send a HEAD."""
        return self.request("HEAD", url, **words)

    def options(self, url: str, **words: Unpack[RequestWords]) -> httpx2.Response:
        """Send an OPTIONS."""
        return self.request("OPTIONS", url, **words)

    def close(self) -> None:
        """Let requests under way end, tear every model down; then return."""
        atexit.unregister(self.close)
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._loop.call_soon_threadsafe(self._service.stop)
        self._thread.join()

    def _run(self, served: Sequence[Application], settings: Settings) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._live(served, settings))
        except BaseException as error:  # whoever makes the client waits for it
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _live(self, served: Sequence[Application], settings: Settings) -> None:
        import httpx2  # noqa: PLC0415 - a test has it, a server need not

        service = Service(served, settings)
        await service.open()
        try:
            await service.ready
        except SetupFailed:
            service.stop(0.0)
            await service.closed()
            raise
        transport = httpx2.ASGITransport(service.app)
        async with httpx2.AsyncClient(transport=transport, base_url=URL, trust_env=False) as http:
            self._opened.set_result((service, http))
            await service.closed()
            await asyncio.gather(*_others(), return_exceptions=True)  # they have their answers


def _others() -> Iterable[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


def _require_httpx2() -> None:
    try:
        import httpx2  # noqa: F401, PLC0415 - whether it is there
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "headrace.testing.Client speaks through httpx2: pip install httpx2", name="httpx2"
        ) from error


def _gathered(
    targets: Sequence[object], settings: SettingWords
) -> tuple[list[Wish], dict[str, Any]]:
    """Return what is asked for, and the settings, those of the call over those of a Server."""
    wishes: list[Wish] = []
    chosen: dict[str, Any] = {}
    for target in targets:
        if isinstance(target, Server):
            wishes += target.wishes
            chosen |= target.settings
        else:
            wishes.append(Wish([target]))
    if not wishes:
        raise ConfigError("nothing to ask: name at least one model class")
    return wishes, chosen | dict(settings)


def _inline(application: Application) -> Application:
    deployments = [
        msgspec.structs.replace(
            served, options=replace(served.options, executor="inline", replicas=1)
        )
        for served in application.deployments
    ]
    return msgspec.structs.replace(application, deployments=deployments)
