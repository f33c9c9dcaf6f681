"""A server without an arbiter: made, run until it is stopped, its end recorded."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial

from headrace.errors import ConfigError, SetupFailed
from headrace.host import shutdown_keys
from headrace.host.audit import Asker
from headrace.host.logs import log_to_stderr
from headrace.host.own_end import OwnEnd
from headrace.host.settings import Settings
from headrace.host.sockets import bind, start_lines
from headrace.host.watching import contents_of, imported_files
from headrace.model.application import Application, routes_of
from headrace.model.gathering import Wish, gathered
from headrace.replica.asyncio_end import new_loop
from headrace.service import Service, run_until_stopped

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def applications_of(wishes: Sequence[Wish], code: str = "") -> list[Application]:
    """Return the applications that are wished for. Raises ConfigError."""
    if not any(wish.targets for wish in wishes):
        raise ConfigError("nothing to serve: name at least one model class")
    applications = gathered(wishes, code)
    routes_of(applications)
    return applications


def code() -> str:
    """Return what the files hold that this program came from, as far as it has imported them."""
    return contents_of(imported_files())


def serve(applications: Sequence[Application], settings: Settings) -> None:
    """Serve in this process until a signal says stop. Raises StartError."""
    routes_of(applications)
    log_to_stderr(settings.log_level, settings.error_log)
    with (
        contextlib.closing(bind(settings.host, settings.port)) as sock,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(_serve(applications, settings, sock))


async def _serve(
    applications: Sequence[Application], settings: Settings, sock: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    end = OwnEnd(settings)
    service = service_of(applications, settings, end)

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
        await ended(service, sock, end, exit_code=0)
    finally:
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)


def service_of(applications: Sequence[Application], settings: Settings, end: OwnEnd) -> Service:
    """Make a server that nobody but itself will stop."""
    key = shutdown_keys.made(settings)
    service = Service(applications, settings, shutdown_key=key)
    service.stop_asked = partial(end.ask, service)
    shutdown_keys.tell(key)
    return service


async def ended(
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
