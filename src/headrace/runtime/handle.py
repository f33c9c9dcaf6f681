"""The desk where code asks for other deployments: requests come by news, answers go by words.

A request belongs to those whose code made it: it has their label and trace, ends when the last of
them has ended, and no later than they must. Whom a name means is asked of the roster: first the
asker's own generation, so that a reload mixes none.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from msgspec.structs import replace

from headrace.core import family
from headrace.core.messages import DeploymentId, ReplicaId, RequestId, Serial
from headrace.core.records import Ticket
from headrace.errors import HeadraceError
from headrace.memory.worker import WorkerMemory
from headrace.model.called import refusal
from headrace.model.envelope import Fault, Head, Part
from headrace.model.handle import NoSuchDeployment
from headrace.model.pickles import joined
from headrace.replica.frames import Answered, AnswerParts, Ask, HangUp, News, Took, Word
from headrace.replica.lines import LoopLine
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.driver import Driver

CANCELLED = Fault(499, "client_closed_request", "nobody waits for this call any more")
TRACE = b"traceparent"
_PREFIX = os.urandom(6).hex()


@dataclass(slots=True)
class _Errand:
    """One request on its way for code of ours."""

    asked: Asked | None = None
    detached: bool = False


class Desk:
    """Asks on behalf of replicas' code, and of the program that the server runs in."""

    def __init__(self, driver: Driver, timeout_s: Callable[[DeploymentId], float]) -> None:
        """`timeout_s` tells how long a request to a deployment may take at most."""
        self._driver, self._timeout_s = driver, timeout_s
        self._errands: dict[ReplicaId, dict[int, _Errand]] = {}
        self._programs: dict[ReplicaId, Callable[[Word], None]] = {}
        self._labels = 0
        for kind in (Ask, HangUp, Took):
            driver.hears[kind] = self.hear
        driver.farewells.append(self.farewell)

    def serve_program(self, name: str, tell: Callable[[Word], None]) -> Callable[[News], None]:
        """Let code in no replica ask; it hears by `tell`. Return where it tells its news."""
        asker = ReplicaId(name)
        self._programs[asker] = tell
        return partial(self.hear, asker)

    def hear(self, asker: ReplicaId, news: News) -> None:
        """Do what code wants."""
        match news:
            case Ask():
                self._ask(asker, news)
            case HangUp(number):
                errand = self._errands.get(asker, {}).get(number)
                if errand is not None and errand.asked is not None:
                    self._driver.hang_up(errand.asked)
            case Took(number, parts):
                errand = self._errands.get(asker, {}).get(number)
                if errand is not None and errand.asked is not None:
                    self._driver.took(errand.asked, parts)
            case _:
                self._driver.hears[type(news)](asker, news)

    def farewell(self, asker: ReplicaId) -> None:
        """Drop what a replica has asked for, that is gone; what is detached goes on."""
        for errand in list(self._errands.pop(asker, {}).values()):
            if errand.asked is not None and not errand.detached:
                self._driver.hang_up(errand.asked)

    # --- asking ------------------------------------------------------------------------------

    def _ask(self, asker: ReplicaId, ask: Ask) -> None:
        errand = _Errand(detached=ask.detached)
        self._errands.setdefault(asker, {})[ask.number] = errand
        try:
            errand.asked = self._begun(asker, ask, errand)
        except HeadraceError as error:
            self._ended(asker, ask.number, errand, error)

    def _begun(self, asker: ReplicaId, ask: Ask, errand: _Errand) -> Asked:
        engine = self._driver.engine
        copy = engine.fleet.copies.get(asker)
        place, detached = ask.place, ask.detached
        origin = family.origin_of(copy, Serial(ask.serial), place, detached=detached)
        elders = () if origin is None else family.alive(engine.tickets, origin)
        target = self._find(asker, ask.target)
        latest = self._driver.clock() + self._timeout_s(target)
        if elders and not detached:
            latest = min(latest, max(map(family.ends_by, elders)))
        envelope = replace(
            ask.envelope,
            label=self._label(ask.envelope.label, elders),
            deadline=min(ask.envelope.deadline, latest),
            head=self._head(elders),
        )
        return self._driver.ask(
            target,
            envelope,
            partial(self._ended, asker, ask.number, errand),
            origin,
            partial(self._heard, asker, ask.number),
        )

    def _find(self, asker: ReplicaId, target: str) -> DeploymentId:
        roster = self._driver.roster
        deployment = None if asker in self._programs else _deployment_of(asker)
        found = roster.find(target, deployment)
        if found is not None and found in self._driver.engine.pools:
            return found
        names = sorted(roster.names(deployment))
        near = difflib.get_close_matches(target, names, 1)
        mend = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(names) or 'none'}"
        raise NoSuchDeployment(f"no deployment is named {target!r}; {mend}")

    def _label(self, own: str, elders: Sequence[Ticket]) -> str:
        if elders:
            return self._asked(elders[0].id).envelope.label
        if own:
            return own
        self._labels += 1
        return f"{_PREFIX}-{self._labels:x}"

    def _head(self, elders: Sequence[Ticket]) -> Head:
        """Make the head of a call: all that it has of a request is its trace, and its client."""
        for elder in elders:
            head = self._asked(elder.id).envelope.head
            if head is not None:
                trace = [(name, value) for name, value in head.headers if name.lower() == TRACE]
                return Head("CALL", "", b"", trace, head.client)
        return Head("CALL", "", b"", [], "")

    def _asked(self, request: RequestId) -> Asked:
        return self._driver.asked(request)

    # --- answers -----------------------------------------------------------------------------

    def _heard(self, asker: ReplicaId, number: int, part: Part) -> None:
        self.tell(asker, AnswerParts(number, [part]))

    def _ended(self, asker: ReplicaId, number: int, errand: _Errand, ending: Ending) -> None:
        errands = self._errands.get(asker, {})
        if errands.get(number) is errand:
            del errands[number]
        if ending is None:
            reply: Word = Answered(number, CANCELLED)
        elif isinstance(ending, HeadraceError):
            reply = Answered(number, refusal(ending))
        else:
            reply = Answered(number, ending)
        self.tell(asker, reply)

    def tell(self, asker: ReplicaId, word: Word) -> None:
        """Bring a word to whoever asked: a replica's code, or the program's."""
        if asker in self._programs:
            self._programs[asker](word)
        else:
            self._driver.tell(asker, word)


def program_line(desk: Desk, memory: Callable[[], WorkerMemory | None]) -> LoopLine:
    """Make the line of the program that the server runs in, on the server's loop."""

    def tell(news: News) -> None:
        shared = memory()
        if (
            isinstance(news, Ask)
            and shared is not None
            and isinstance(news.envelope.payload, bytes)
        ):
            payload = shared.region.put(news.envelope.payload)
            news = replace(news, envelope=replace(news.envelope, payload=payload))
        say(news)

    line = LoopLine(asyncio.get_running_loop(), tell, joined)
    say = desk.serve_program("program", lambda word: line.hear(cast("Answered", word)))
    return line


def _deployment_of(replica: ReplicaId) -> DeploymentId:
    return DeploymentId(replica.rpartition("/")[0])
