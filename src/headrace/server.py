"""The composition root: a program's way to a running server."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Self, Unpack, cast

from headrace.errors import ConfigError, SetupFailed, StartError
from headrace.host import shutdown_keys
from headrace.host.audit import Asker, by_program
from headrace.host.launching import launch
from headrace.host.logs import log_to_stderr
from headrace.host.own_end import OwnEnd
from headrace.host.settings import Settings, SettingWords, settle
from headrace.host.sockets import address_of, bind, start_lines, url_of
from headrace.host.targets import Found
from headrace.http.messages import Receive, Scope, Send
from headrace.model.binding import served_from
from headrace.model.recording import recorded
from headrace.model.served import Served, assign_routes
from headrace.replica.asyncio_end import new_loop
from headrace.service import Service, run_until_stopped

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server:
    """Models and the settings they are served with."""

    def __init__(self, *targets: type, **settings: Unpack[SettingWords]) -> None:
        """Take model classes; nothing starts yet."""
        self.targets = list(targets)
        self.settings: dict[str, Any] = dict(settings)

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then return. A start that fails exits with its code."""
        if recorded(tuple(self.targets), self.settings):
            return
        with exit_on_start_error():
            settings = settle(self.settings)
            serve(_describe_all(self.targets), settings)

    def start(self) -> Running:
        """Return a running server once it is ready. Raises what its start raised."""
        return Running(_describe_all(self.targets), settle(self.settings))

    @property
    def asgi(self) -> Mounted:
        """The same server as an ASGI application, for another server to run."""
        return Mounted(_describe_all(self.targets), settle(self.settings))


class Running:
    """A server in a thread of this program; use it as a context manager, or call `stop`."""

    def __init__(self, deployments: Sequence[Served], settings: Settings) -> None:
        assign_routes(list(deployments))
        log_to_stderr(settings.log_level, settings.error_log)
        self._names = {served.name for served in deployments}
        self._has_replaced = _make_room(settings, self._names)
        self._sock = bind(settings.host, settings.port)
        self._address = (settings.host, address_of(self._sock)[1])
        self._scheme = settings.scheme
        self.url = url_of(self._sock, self._scheme)
        """Where a client on this machine finds it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._service: Service | None = None
        self._end = OwnEnd(settings)
        self._error: BaseException | None = None
        self._is_up = threading.Event()
        work = self._live(deployments, settings)
        self._thread = threading.Thread(
            target=self._run, args=(work,), name="headrace", daemon=True
        )
        self._thread.start()
        self._is_up.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        _started[self._address] = self
        atexit.register(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Running {self.url}{'' if self._thread.is_alive() else ' stopped'}>"

    def serves(self, names: set[str]) -> bool:
        """Tell whether these are the names of its deployments."""
        return self._names == names

    def status(self) -> dict[str, Any]:
        """Return the state of every deployment and replica."""
        status: dict[str, Any] = self._in_loop(lambda service: service.status())
        return status

    def reload(self, *targets: type) -> None:
        """Serve these models in place of the present ones, or those as their files are by now.

        Returns when the new ones serve; requests under way are ended by the old ones. A class that
        a session has defined anew must be given. Raises StartError; then nothing has changed.
        """
        deployments = _describe_all(targets) if targets else None
        loop, service = self._alive()
        asyncio.run_coroutine_threadsafe(service.reload(deployments), loop).result()
        self._names = set(self.status()["deployments"])

    def stop(self, grace_s: float | None = None) -> None:
        """Let requests under way end, tear every replica down, close the port; then return."""
        atexit.unregister(self.stop)
        if _started.get(self._address) is self:
            del _started[self._address]
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it ended by itself meanwhile
                asker = by_program()
                self._in_loop(lambda service: self._end.ask(service, asker, grace_s))
            self._thread.join()

    def _alive(self) -> tuple[asyncio.AbstractEventLoop, Service]:
        if self._loop is None or self._service is None or not self._thread.is_alive():
            raise RuntimeError("this server has stopped")
        return self._loop, self._service

    def _in_loop(self, ask: Callable[[Service], Any]) -> Any:
        loop, service = self._alive()

        async def answer() -> Any:
            return ask(service)

        return asyncio.run_coroutine_threadsafe(answer(), loop).result()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(work)
        except BaseException as error:  # noqa: BLE001 - the caller of start waits for it
            self._error = error
        finally:
            self._is_up.set()

    async def _live(self, deployments: Sequence[Served], settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        with contextlib.closing(self._sock):  # also where it never came to listen
            self._service = service = _service(deployments, settings, self._end)
            service.ready.add_done_callback(self._tell_if_up)
            await _ended(service, self._sock, self._end)

    def _tell_if_up(self, ready: asyncio.Future[None]) -> None:
        if not ready.cancelled() and ready.exception() is None:
            if self._service is not None and (self._has_replaced or _is_interactive()):
                news = "; it replaces the one before" if self._has_replaced else ""
                lines = start_lines([self._sock], self._scheme, self._service.describe(), news)
                print("\n".join(lines), file=sys.stderr)
            self._is_up.set()


_started: dict[tuple[str, int], Running] = {}
"""What `start` has started in this program and nobody has stopped, by host and port."""


def _make_room(settings: Settings, names: set[str]) -> bool:
    """Stop the server that this one is to replace, if there is one; tell whether there was.

    Whoever runs a notebook's cell again means the same server: one at this address, of these names.
    """
    before = _started.get((settings.host, settings.port))
    if before is None or not before.serves(names):
        return False
    before.stop()
    return True


def _is_interactive() -> bool:
    """Tell whether somebody types, in a notebook or a console: then there is a prompt."""
    return hasattr(sys, "ps1")


class Mounted:
    """A server as an ASGI application. It starts with its lifespan, or else on its first request.

    An outer application never runs a mounted one's lifespan: give it `lifespan` itself.
    """

    def __init__(self, deployments: Sequence[Served], settings: Settings) -> None:
        self._deployments, self._settings = deployments, settings
        self._service: Service | None = None
        self._opening: asyncio.Task[Service] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scope."""
        if scope["type"] == "lifespan":
            await self._follow_lifespan(receive, send)
            return
        service = self._service or await self._open()
        await service.app(_below_mount(scope), receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:  # noqa: ARG002 - Starlette passes it
        """Run the server within the block. Raises SetupFailed."""
        await self._open()
        try:
            yield
        finally:
            await self._close()

    async def _open(self) -> Service:
        if self._opening is None:
            self._opening = asyncio.create_task(self._start())
        return await asyncio.shield(self._opening)

    async def _start(self) -> Service:
        self._end = OwnEnd(self._settings)
        service = _service(self._deployments, self._settings, self._end)
        service.stop_asked = self._stop_by
        await service.open()
        try:
            await service.ready
        except SetupFailed:
            service.stop(0.0)
            await service.closed()
            raise
        self._service = service
        return service

    def _stop_by(self, asker: Asker) -> None:
        """End the models' part of the outer application; the rest of it is not ours to end."""
        if self._service is not None:
            self._end.ask(self._service, asker)
            self._closing = self._closing or asyncio.create_task(self._closed(self._service))

    async def _closed(self, service: Service) -> None:
        await service.closed()
        await asyncio.to_thread(self._end.done, service.tally)

    async def _close(self) -> None:
        if self._service is not None:
            if self._closing is None:
                self._stop_by(by_program())
            await cast("asyncio.Task[None]", self._closing)
            self._service = self._opening = self._closing = None

    async def _follow_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._open()
        except StartError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})


def run(*targets: type, **settings: Unpack[SettingWords]) -> None:
    """Serve models until SIGTERM or Ctrl-C; return after a clean stop.

    A start that fails prints why and exits with the code of its StartError.
    """
    Server(*targets, **settings).run()


def start(*targets: type, **settings: Unpack[SettingWords]) -> Running:
    """Serve models in a thread of this program; return when they are ready.

    One that this program started before, at the same address with deployments of the same names,
    is stopped first: so a notebook's cell can be run again.

    Raises SetupFailed, ConfigError, AddressError.
    """
    return Server(*targets, **settings).start()


def serve_target(target: str, found: Found, settings: Settings) -> None:
    """Serve what a command named, in workers of an arbiter, until a signal says stop.

    A debugger needs the terminal, so models to be debugged are served by this very process.

    Raises StartError.
    """
    if settings.debug and found.deployments:
        serve(found.deployments, settings)
    else:
        launch(target, found, settings)


def serve(deployments: Sequence[Served], settings: Settings) -> None:
    """Serve in this process until a signal says stop. Raises StartError."""
    assign_routes(list(deployments))
    log_to_stderr(settings.log_level, settings.error_log)
    with (
        contextlib.closing(bind(settings.host, settings.port)) as sock,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(_serve(deployments, settings, sock))


async def _serve(deployments: Sequence[Served], settings: Settings, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    end = OwnEnd(settings)
    service = _service(deployments, settings, end)

    def announce(ready: asyncio.Future[None]) -> None:
        if not ready.cancelled() and ready.exception() is None:
            gc.collect()
            gc.freeze()  # what lives as long as the server need not be looked at again
            news = "; debugging: one replica each, no deadlines" if settings.debug else ""
            lines = start_lines([sock], settings.scheme, service.describe(), news)
            print("\n".join(lines), file=sys.stderr, flush=True)

    service.ready.add_done_callback(announce)
    loop.add_signal_handler(signal.SIGHUP, service.begin_reload)
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, end.ask, service, Asker("signal", signal=number.name))
    try:
        await _ended(service, sock, end, exit_code=0)
    finally:
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)


def _service(deployments: Sequence[Served], settings: Settings, end: OwnEnd) -> Service:
    """Make a server that nobody but itself will stop."""
    key = shutdown_keys.made(settings)
    service = Service(deployments, settings, shutdown_key=key)
    service.stop_asked = partial(end.ask, service)
    shutdown_keys.tell(key)
    return service


async def _ended(
    service: Service, sock: socket.socket, end: OwnEnd, exit_code: int | None = None
) -> None:
    """Serve until it is stopped; record how it ended. Raises SetupFailed."""
    try:
        await run_until_stopped(service, sock)
    except SetupFailed as error:
        end.failed(service.tally, None if exit_code is None else error.exit_code)
        raise
    sock.close()
    await asyncio.to_thread(end.done, service.tally, exit_code)


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


def _below_mount(scope: Scope) -> Scope:
    """Return the scope as seen from below the outer application's mount point."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    if root and path.startswith(root):
        return {**scope, "path": path[len(root) :] or "/"}
    return scope


def _describe_all(targets: Sequence[object]) -> list[Served]:
    if not targets:
        raise ConfigError("nothing to serve: name at least one model class")
    return [served for target in targets for served in served_from(target)]
