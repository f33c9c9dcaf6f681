"""One contender as a running server: born on a free port, ended with all its children."""

import http.client
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.contenders import BENCH, SERVERS, Contender, environment
from harness.processes import Process, alive, family, holder
from harness.questions import Question

LOGS = BENCH / ".logs"
HOST, ROUTE = "127.0.0.1", "/predict"
MARK, SESSION = "BENCH_SERVER", uuid.uuid4().hex  # every process started here carries both
START_S, STOP_S, ORPHANS_S, POLL_S = 60.0, 8.0, 1.0, 0.01


class Unavailable(Exception):
    """A contender cannot be measured here; says why."""


class LeftBehind(Exception):
    """A process or a port outlived its server, kill included."""


@dataclass(slots=True)
class Server:
    """A server that has answered its first request."""

    contender: Contender
    port: int
    process: subprocess.Popen[bytes]
    mark: bytes  # in the environment of all its processes
    started_s: float = 0.0  # from the spawn to the first right answer
    known: set[Process] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where the model is."""
        return f"http://{HOST}:{self.port}{ROUTE}"

    def family(self) -> list[Process]:
        """Return all its living processes."""
        self.known.update(family(self.process.pid, self.mark))
        return [process for process in self.known if alive(process)]

    def ask(self) -> bool:
        """Send one request; say whether the right answer came.

        Raises Unavailable where a 200 is the wrong answer.
        """
        with suppress(OSError, http.client.HTTPException), _connection(self.port) as connection:
            return _asked(connection, self.contender.question)
        return False

    def worker(self) -> Process | None:
        """Return the process that speaks HTTP: the one that holds a connection of ours."""
        with _connection(self.port) as connection:
            if (
                not _asked(connection, self.contender.question) or connection.sock is None
            ):  # closed by a server without keep-alive
                return None
            client_port = connection.sock.getsockname()[1]
            return holder(self.family(), server_port=self.port, client_port=client_port)

    def freeze(self) -> None:
        """Stop all its processes where they stand."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End all its processes: asked first, then killed, orphans too.

        Raises LeftBehind.
        """
        self.thaw()
        self.process.terminate()
        if _until(lambda: self.process.poll() is not None, STOP_S):
            _until(lambda: not self.family(), ORPHANS_S)
        self._signal(signal.SIGKILL)
        self.process.wait(STOP_S)
        if not _until(lambda: not self.family(), STOP_S):
            raise LeftBehind(
                f"{self.contender.label} left {[process.pid for process in self.family()]}"
            )
        if not _until(lambda: not listens(self.port), STOP_S):
            raise LeftBehind(f"{self.contender.label} left port {self.port} open")

    def _signal(self, number: signal.Signals) -> None:
        for process in self.family():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)


@contextmanager
def serving(contender: Contender) -> Iterator[Server]:
    """Start a contender, wait for its first right answer, end it whatever happens.

    Raises Unavailable.
    """
    with ExitStack() as kept:
        own = {**contender.environment}
        if contender.needs_scratch:
            folder = TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
            own["BENCH_SCRATCH"] = kept.enter_context(folder)
        yield kept.enter_context(_started(contender, own))


@contextmanager
def _started(contender: Contender, own: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    mark = f"{SESSION}.{port}."
    LOGS.mkdir(exist_ok=True)
    log = LOGS / f"{contender.label}.log"
    with log.open("wb") as output:
        born = time.perf_counter()
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in contender.command],
            env=environment({**own, MARK: mark}),
            cwd=SERVERS,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C here must not reach it before we do
        )
    server = Server(contender, port, process, f"{MARK}={mark}".encode())
    try:
        _await_answer(server, born, log)
        yield server
    finally:
        with _undisturbed():
            server.end()


def sweep() -> None:
    """Kill what this session started, wherever an interrupt has left it."""
    for process in family(-1, f"{MARK}={SESSION}".encode()):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Say whether anybody accepts connections on this port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _await_answer(server: Server, born: float, log: Path) -> None:
    while time.perf_counter() - born < START_S:
        if server.ask():
            server.started_s = time.perf_counter() - born
            server.family()  # known from now on, also when their parent dies first
            return
        if (code := server.process.poll()) is not None:
            raise Unavailable(f"{server.contender.label} exited {code}: {_last_words(log)}")
        time.sleep(POLL_S)
    raise Unavailable(
        f"{server.contender.label} gave no 200 in {START_S:.0f} s: {_last_words(log)}"
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C waiting until the servers are gone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _asked(connection: http.client.HTTPConnection, question: Question) -> bool:
    connection.request("POST", ROUTE, question.body, {"Content-Type": question.media_type})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        return False
    if not question.right(body):
        raise Unavailable(f"wrong answer: {body[:80]!r}")
    return True


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].replace(str(BENCH.parent), ".")[:160] if lines else "it said nothing"


def _until(done: Callable[[], bool], seconds: float) -> bool:
    last = time.perf_counter() + seconds
    while not (well := done()) and time.perf_counter() < last:
        time.sleep(0.02)
    return well
