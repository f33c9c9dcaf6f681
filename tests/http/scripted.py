"""The front door over a replica whose answers the test says, part by part."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from headrace.core.engine import Engine
from headrace.core.messages import DeploymentId, ReplicaId, Serial, Why
from headrace.core.records import Policy
from headrace.host.connection import EXTENSION
from headrace.http.app import FrontDoor
from headrace.http.endpoints import Limits, ModelEndpoint, Traits
from headrace.http.messages import App, Message
from headrace.interfaces import Capabilities
from headrace.model.envelope import Closed, Envelope, Opened, Part, Reply
from headrace.replica.frames import Word
from headrace.runtime.driver import Driver
from headrace.runtime.metrics import Endings
from headrace.runtime.watcher import Watcher
from tests.http.asking import until

PATH, NAME = "/tell", DeploymentId("tell")
EVENTS, LINES = "text/event-stream; charset=utf-8", "application/x-ndjson"


@dataclass(slots=True)
class Script:
    """A replica that does what the test says. See `interfaces.Replica`."""

    id: ReplicaId
    inbox: Driver
    calls: dict[Serial, list[Envelope]] = field(default_factory=dict)
    granted: int = 0
    stopped: list[Serial] = field(default_factory=list)
    pid: int = field(default_factory=os.getpid)
    capabilities: Capabilities = field(
        default_factory=partial(Capabilities, interrupts=False, survives_crash=True)
    )

    # --- what the test says

    def say(self, *parts: Part, serial: int = 1) -> None:
        """Send parts of an answer."""
        self.inbox.parts(self.id, Serial(serial), [(0, part) for part in parts])

    def end(self, reply: Reply | None = None, serial: int = 1) -> None:
        """End a call, well if nothing else is said."""
        self.calls.pop(Serial(serial))
        self.inbox.finished(self.id, Serial(serial), 0.001, [reply or Closed()])

    def die(self, why: Why = Why.KILLED) -> None:
        """End with all calls."""
        claimed = max(self.calls, default=Serial(0))
        self.calls.clear()
        self.inbox.gone(self.id, why, claimed, "ended")

    # --- what the driver asks

    def send(self, serial: Serial, envelopes: Sequence[Envelope]) -> None:
        self.calls[serial] = list(envelopes)

    def flush(self) -> None:
        pass

    def recall(self, serial: Serial) -> Serial | None:
        return None

    def stop(self, serial: Serial, place: int) -> None:
        self.stopped.append(serial)
        asyncio.get_running_loop().call_soon(self._end_if_there, serial)

    def _end_if_there(self, serial: Serial) -> None:
        if serial in self.calls:
            self.end(serial=serial)

    def interrupt(self, serial: Serial) -> None:
        pass

    def abort(self) -> None:
        self.evict()

    def grant(self, serial: Serial, place: int, parts: int) -> None:
        self.granted += parts

    def tell(self, word: Word) -> None:
        """See `interfaces.Replica`: this one's code asks nobody for anything."""
        raise AssertionError(f"nobody is to hear {word}")

    def evict(self) -> None:
        asyncio.get_running_loop().call_soon(self.die, Why.ASKED)

    def kill(self, why: Why = Why.ASKED, words: str = "") -> None:
        self.evict()


class Line:
    """Our own protocol's side of one connection. See `host.connection.Connection`."""

    def __init__(self) -> None:
        self.lost = self.aborted = False
        self.on_lost: Callable[[], None] | None = None

    def respond(self, scope: object, status: int, headers: bytes, body: bytes | memoryview) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True
        asyncio.get_running_loop().call_later(0.01, self.lose)

    def lose(self) -> None:
        self.lost = True
        if self.on_lost is not None:
            self.on_lost()


class Listener:
    """A client, by way of ASGI: under our own protocol if it has a line, else a foreign server."""

    def __init__(
        self,
        app: App,
        line: Line | None = None,
        *,
        body: Sequence[bytes] = (b'"x"',),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.line = line
        self.sent: list[Message] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._coming: asyncio.Queue[Message] = asyncio.Queue()
        for number, part in enumerate(body, 1):
            more = number < len(body)
            self._coming.put_nowait({"type": "http.request", "body": part, "more_body": more})
        raw = [(name.lower().encode(), text.encode()) for name, text in (headers or {}).items()]
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), *raw],
        }
        if line is not None:
            scope["extensions"] = {EXTENSION: line}
        self.task = asyncio.ensure_future(app(scope, self._coming.get, self._take))

    async def _take(self, message: Message) -> None:
        await self.reads.wait()
        self.sent.append(message)

    def leave(self) -> None:
        if self.line is None:
            self._coming.put_nowait({"type": "http.disconnect"})
        else:
            self.line.lose()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): text.decode() for name, text in self.sent[0]["headers"]}

    @property
    def bodies(self) -> list[bytes]:
        """What came in each message."""
        return [message["body"] for message in self.sent[1:]]

    @property
    def is_whole(self) -> bool:
        """Whether the response had its end."""
        return bool(self.sent) and not self.sent[-1].get("more_body", "status" in self.sent[-1])

    async def heard(self, messages: int) -> None:
        await until(lambda: len(self.sent) >= messages, f"{messages} messages, not {self.sent}")


@dataclass(slots=True)
class Stage:
    """A front door with one streaming model, whose replica is a script."""

    driver: Driver
    door: FrontDoor
    endings: Endings
    scripts: list[Script]

    @property
    def script(self) -> Script:
        return self.scripts[-1]

    async def ask(self, line: Line | None = None, **words: Any) -> Listener:
        """Come with a request, and wait until the replica has it."""
        asked = sum(map(len, (script.calls for script in self.scripts)))
        listener = Listener(self.door, line, **words)
        await until(
            lambda: (
                sum(map(len, (script.calls for script in self.scripts))) > asked
                or listener.task.done()
            ),
            "the request to reach the replica",
        )
        return listener

    async def begun(self, line: Line | None = None, form: str = EVENTS, **words: Any) -> Listener:
        """Come with a request, and wait for the first item of its answer."""
        listener = await self.ask(line, **words)
        self.script.say(Opened(200, form), b"first", serial=max(self.script.calls))
        await listener.heard(2)
        return listener


@contextlib.asynccontextmanager
async def staged(
    policy: Policy | None = None,
    limits: Limits | None = None,
    around: Callable[[App], App] | None = None,
) -> AsyncIterator[Stage]:
    """Set the stage; at its end nothing is under way."""
    scripts: list[Script] = []

    def start(deployment: DeploymentId, replica: ReplicaId) -> Script:
        scripts.append(Script(replica, driver))
        asyncio.get_running_loop().call_soon(driver.ready, replica)
        return scripts[-1]

    driver = Driver(Engine(), {NAME: start})
    over = asyncio.Event()
    driver.watcher = Over(over)
    driver.deploy(NAME, policy or Policy(slots=16, item_timeout_s=5.0))
    endings = Endings()
    endpoint = ModelEndpoint(
        driver, NAME, endings, limits=limits or Limits(), traits=Traits(streams=True)
    )
    door = FrontDoor({PATH: endpoint if around is None else around(endpoint)}, {}, [PATH])
    await until(lambda: scripts and driver.engine.fleet.copies, "a replica")
    await asyncio.sleep(0)
    try:
        yield Stage(driver, door, endings, scripts)
    finally:
        driver.stop(0.0)
        async with asyncio.timeout(5):
            await over.wait()
        assert endings.streams_open == 0


class Over(Watcher):
    """Tells when nothing is left."""

    def __init__(self, over: asyncio.Event) -> None:
        self._over = over

    def drained(self) -> None:
        self._over.set()
