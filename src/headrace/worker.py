"""A worker process: hears from its arbiter what to serve, serves it, and tells how that goes."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from headrace.core.draining import Tally
from headrace.errors import StartError
from headrace.host import senders
from headrace.host.audit import Asker
from headrace.host.control import (
    Answering,
    Beat,
    Born,
    Channel,
    DeleteNow,
    DeployNow,
    Done,
    Failed,
    Left,
    LoadingNow,
    Order,
    Plan,
    Ready,
    Reloaded,
    ReloadNow,
    Reopen,
    StateToLog,
    StatusIs,
    StatusPlease,
    Stop,
    StopAsked,
    read_order,
)
from headrace.host.daemon import redirect
from headrace.host.logs import log_to_stderr
from headrace.host.settings import Settings
from headrace.host.targets import failure_of
from headrace.host.travelling import unpacked
from headrace.host.watching import imported_files
from headrace.replica.asyncio_end import new_loop
from headrace.replica.parent import die_with_parent

if TYPE_CHECKING:
    from headrace.deploying import Deploying

log = logging.getLogger("headrace.server")
BEAT_S = 1.0
BEATS_IN_SILENCE = 4


class Life(Protocol):
    """What a worker hosts: models with their engine, or a plain application."""

    ready: asyncio.Future[None]
    stop_asked: Callable[[Asker], object]
    """Called where a client wants the whole server to end."""

    async def open(self, *socks: socket.socket) -> None:
        """Begin; `ready` tells when it serves."""

    def stop(self, grace_s: float | None = None, delay_s: float = 0.0) -> None:
        """Serve on for `delay_s`, take nothing new, let the rest end; a second call hurries."""

    @property
    def tally(self) -> Tally:
        """How its stop stands."""

    async def closed(self) -> None:
        """Return when nothing is left."""

    def describe(self) -> list[str]:
        """Return a line for each thing that it serves."""

    def status(self) -> dict[str, Any]:
        """Return how it is."""


class Worker:
    """Obeys the arbiter; hosts one life."""

    def __init__(self, arbiter: socket.socket, sockets: Sequence[socket.socket]) -> None:
        """Begin to listen to the arbiter, within the event loop."""
        self._sockets = sockets
        self._planned: asyncio.Future[Plan] = asyncio.get_running_loop().create_future()
        self._life: Life | None = None
        self._settings = Settings()
        self._changing: set[asyncio.Task[None]] = set()
        self._deploying: Deploying | None = None
        self._is_plain = False
        self._channel = Channel(arbiter, read_order, self._hear, _end_as_orphan)
        self._channel.say(Born())

    async def live(self) -> int:
        """Serve until told to stop; return the exit code."""
        plan = await self._planned
        try:
            await self._serve(plan)
        except StartError as error:
            self._channel.say(Failed(**failure_of(error)))
            return error.exit_code
        except Exception as error:  # noqa: BLE001 - the arbiter waits for Ready or the reason
            words = f"{type(error).__name__}: {error}"
            self._channel.say(Failed("StartError", words, traceback.format_exc()))
            return StartError.exit_code
        return 0

    @property
    def leaves_threads(self) -> bool:
        """Whether the application has threads for which Python would wait for ever."""
        return bool(getattr(self._life, "left_behind", None))

    async def _serve(self, plan: Plan) -> None:
        self._settings = settings = Settings(**unpacked(plan.settings))
        log_to_stderr(settings.log_level, settings.error_log)
        self._is_plain = plan.app is not None
        self._life = life = self._made(plan, settings)
        life.stop_asked = lambda asker: self._channel.say(StopAsked(asker))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, life.stop)
        self._channel.say(LoadingNow(f"{plan.target} is being loaded"))
        await life.open(*self._sockets)
        if plan.app is None:
            self._channel.say(Answering())
        beating = asyncio.create_task(self._beat())
        try:
            await self._until_closed(life)
        finally:
            beating.cancel()

    async def _until_closed(self, life: Life) -> None:
        try:
            await life.ready
        except StartError:
            life.stop(0.0)
            await life.closed()
            raise
        except asyncio.CancelledError:
            if not life.ready.cancelled():
                raise
        else:
            gc.collect()
            gc.freeze()  # what lives as long as the server need not be looked at again
            files = imported_files() if self._settings.dev and self._is_plain else []
            self._channel.say(Ready(life.describe(), files))
        await life.closed()
        self._channel.say(Left(life.tally))

    async def _beat(self) -> None:
        """Show that the event loop turns, often enough for nobody to worry."""
        patience_s = self._settings.worker_timeout_s or BEAT_S * BEATS_IN_SILENCE
        while True:
            self._channel.say(Beat(getattr(self._life, "requests", 0)))
            await asyncio.sleep(min(BEAT_S, patience_s / BEATS_IN_SILENCE))

    # --- what the arbiter says -----------------------------------------------------------------

    def _hear(self, order: Order) -> None:
        match order:
            case Plan():
                self._planned.set_result(order)
            case Stop(grace_s, delay_s):
                if self._life is None:
                    os._exit(0)  # nothing has begun
                self._life.stop(grace_s, delay_s)
                self._channel.say(Left(self._life.tally))
            case ReloadNow():
                self._change(self._reload())
            case DeployNow() | DeleteNow():
                self._change(self._obey(order))
            case Reopen():
                self._reopen()
            case StateToLog() | StatusPlease():
                self._tell_status(order)

    def _tell_status(self, order: StateToLog | StatusPlease) -> None:
        state = self._life.status() if self._life is not None else {"status": "loading"}
        match order:
            case StateToLog():
                log.info("process %d: %s", os.getpid(), state)
            case StatusPlease(number):
                self._channel.say(StatusIs(number, state))
            case _:
                assert_never(order)

    def _change(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._changing.add(task)
        task.add_done_callback(self._changing.discard)

    async def _obey(self, order: DeployNow | DeleteNow) -> None:
        if self._deploying is None:
            words = (
                "this server serves a plain application, which is replaced by a reload: "
                "headrace reload"
            )
            self._channel.say(Done(order.number, [], "ConfigError", words))
        else:
            await self._deploying.obey(order)

    def _reopen(self) -> None:
        if self._settings.daemon and self._settings.error_log:
            redirect(self._settings.error_log)
        reopen: Callable[[], None] | None = getattr(self._life, "reopen", None)
        if reopen is not None:
            reopen()

    async def _reload(self) -> None:
        reload: Callable[[], Awaitable[None]] | None = getattr(self._life, "reload", None)
        if reload is None:
            self._channel.say(Reloaded("an application is reloaded with its worker"))
            return
        try:
            await reload()
        except Exception as error:  # noqa: BLE001 - the arbiter waits for the outcome
            ours = "" if isinstance(error, StartError) else traceback.format_exc()
            if told := getattr(error, "traceback", ours):
                log.error("reload\n%s", told.rstrip())  # noqa: TRY400 - the user's traceback
            self._channel.say(Reloaded(str(error) or type(error).__name__))
        else:
            files = []
            if self._deploying is not None:
                files = self._deploying.files
                self._deploying.tell()
            self._channel.say(Reloaded(files=files))

    def _made(self, plan: Plan, settings: Settings) -> Life:
        """Return what the plan wants; neither needs the other's imports."""
        if plan.app is not None:
            from headrace.plain import PlainService  # noqa: PLC0415

            return PlainService(plan.target, plan.app, settings, plan.shutdown_key, plan.inner)
        from headrace.deploying import Deploying  # noqa: PLC0415

        self._deploying = Deploying(plan, settings, self._channel.say)
        return self._deploying.service


def _end_as_orphan() -> None:
    """End with the arbiter: nobody would ever stop us."""
    os._exit(1)


async def _live(fds: Sequence[int]) -> tuple[int, bool]:
    own = []
    for fd in fds:
        os.set_inheritable(fd, False)  # what the application starts has no use for them
        own.append(socket.socket(fileno=fd))
    worker = Worker(own[0], own[1:])
    code = await worker.live()
    return code, worker.leaves_threads


def main(parent: int, fds: Sequence[int]) -> int:
    """Be a worker; return the exit code."""
    senders.unblock()  # the arbiter reads some signals in place of having them
    die_with_parent(parent)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        code, leaves_threads = runner.run(_live(fds))
        if leaves_threads:
            _flush()
            os._exit(code)
    return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), [int(fd) for fd in sys.argv[2:]]))
