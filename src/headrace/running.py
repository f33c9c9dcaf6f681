"""A server in a thread of the program that started it: asked, changed, stopped from there."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self

from headrace.alone import applications_of, code, ended, service_of
from headrace.host.audit import by_program
from headrace.host.logs import log_to_stderr
from headrace.host.own_end import OwnEnd
from headrace.host.settings import Settings
from headrace.host.sockets import address_of, bind, start_lines, url_of
from headrace.model.application import DEFAULT, Application, labels_of
from headrace.model.gathering import Target, Wish
from headrace.model.handle import Handle, target_name
from headrace.model.submit import Submit
from headrace.replica.asyncio_end import new_loop
from headrace.service import Service


class Running:
    """A server in a thread of this program; use it as a context manager, or call `stop`."""

    def __init__(self, applications: Sequence[Application], settings: Settings) -> None:
        self._names = set(labels_of(applications))
        log_to_stderr(settings.log_level, settings.error_log)
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
        work = self._live(applications, settings)
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

    def reload(self, *targets: Target) -> None:
        """Serve these models in place of the present ones, or those as their files are by now.

        Returns when the new ones serve; requests under way are ended by the old ones. A class that
        a session has defined anew must be given; targets are the default application, and the
        others stay. Raises StartError; then nothing has changed.
        """
        given = applications_of([Wish(list(targets))], code()) if targets else ()
        self._change(lambda service: service.reload(given))

    def deploy(
        self, *targets: Target, name: str = DEFAULT, route_prefix: str | None = None
    ) -> None:
        """Add an application, or put it in place of the one of this name; return when it serves.

        Only what differs is replaced: a deployment of the same class, arguments, options and code
        goes on with its replicas. What is new is ready before routes lead to it, and what is old
        ends its requests. Raises StartError; then nothing has changed.
        """
        wish = Wish(list(targets), name, route_prefix)
        found = applications_of([wish], code())
        self._change(lambda service: service.applications.deploy(found))

    def delete(self, name: str) -> None:
        """Take an application away; requests under way are ended. Raises ConfigError."""
        self._change(lambda service: service.applications.delete([name]))

    def reconfigure(self, name: str, config: object) -> None:
        """Give the replicas of a deployment a new `user_config`; return when they have taken it.

        Raises ConfigError, and StartError where a `reconfigure` failed: then the config before
        holds for that replica.
        """
        self._change(lambda service: service.applications.reconfigure(name, config))

    def handle(self, target: str | Callable[..., Any]) -> Handle:
        """Return a handle of a deployment, by its name, its class or its function.

        It works in every thread of this program, in code that awaits and in code that does not.
        """
        line = self._in_loop(lambda service: service.line())
        return Handle(target_name(target), line=line)

    @property
    def submit(self) -> Submit:
        """Submit jobs from this program; it is used as `hr.submit` is within a server."""
        return Submit(line=self._in_loop(lambda service: service.line()))

    def _change(self, work: Callable[[Service], Coroutine[Any, Any, None]]) -> None:
        loop, service = self._alive()
        asyncio.run_coroutine_threadsafe(work(service), loop).result()
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

    async def _live(self, applications: Sequence[Application], settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        with contextlib.closing(self._sock):  # also where it never came to listen
            self._service = service = service_of(applications, settings, self._end)
            service.ready.add_done_callback(self._tell_if_up)
            await ended(service, self._sock, self._end)

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
