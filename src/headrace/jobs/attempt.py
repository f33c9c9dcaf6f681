"""One attempt at a job: its order becomes a request that goes behind all others, and is answered.

It is told to stop for one of three reasons; what it says in the end follows from that, and from
whether a replica had begun it.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum, auto
from math import inf

from msgspec.structs import replace

from headrace.core.attempts import Pulse, Said
from headrace.core.records import Lower
from headrace.errors import Draining, HeadraceError, Refused, StillLoading
from headrace.interfaces import Claim, JobStore
from headrace.jobs import orders
from headrace.jobs.endpoints import JobEndpoint
from headrace.jobs.orders import Order
from headrace.jobs.output import End, Output
from headrace.jobs.telling import Telling
from headrace.model.envelope import Envelope, Head, JobAttempt, Part
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.background import Background, Ends
from headrace.runtime.driver import Driver

log = logging.getLogger("headrace.jobs")
LABEL, LENGTH = b"x-request-id", b"content-length"
RELOADED_S = 1.0


class Reason(Enum):
    """Why an attempt is to stop."""

    CANCELED = auto()  # somebody no longer wants the job
    GIVEN_BACK = auto()  # it is to be run elsewhere, or later
    STALE = auto()  # it counts no more


class Attempt:
    """See the module. `live` is its life; all else is told to it meanwhile."""

    def __init__(
        self,
        claim: Claim,
        endpoint: JobEndpoint,
        store: JobStore,
        driver: Driver,
        background: Background,
    ) -> None:
        self.job, self.hold, self.endpoint = claim.job, claim.hold, endpoint
        self._given, self._store = claim.content, store
        self._driver, self._background = driver, background
        self._asked: Asked | None = None
        self._reason: Reason | None = None
        self._too_large: HeadraceError | None = None
        loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[Ending] = loop.create_future()
        self._left: asyncio.Future[None] = loop.create_future()
        self._output = Output(self.job.id)
        self._telling = Telling(store, self.hold, self.heed, self._took)
        self.refusal: Refused | None = None
        """Why its deployment took it not, where that was so."""

    def __repr__(self) -> str:
        state = "waits" if self._asked is None else "asked"
        why = "" if self._reason is None else f", {self._reason.name}"
        return f"<Attempt {self.hold.attempt} of {self.job.id}: {state}{why}>"

    @property
    def request(self) -> Asked | None:
        """The request that it is, once it is one."""
        return self._asked

    @property
    def is_stale(self) -> bool:
        """Whether nobody wants to hear how it ends."""
        return self._reason is Reason.STALE

    async def live(self) -> End:
        """Run it; return what is to be said of it, when nothing runs it any more."""
        try:
            await self._ask()
        except Refused as refused:
            self.refusal = refused
            return Said.RETURNED, None
        except HeadraceError as error:
            return self._output.end(error, retry_safe=True)
        ending = await self._ending
        if self._asked is not None and (ending is None or isinstance(ending, HeadraceError)):
            await self._left  # what was stopped is over when its replica says so
        await self._telling.over()
        if self._too_large is not None:
            return Said.REFUSED, orders.failure(self._too_large, self.job.id)
        if self._reason is Reason.GIVEN_BACK:
            return Said.RETURNED, None
        return self._output.end(ending, retry_safe=self.job.terms.retry_safe)

    async def _ask(self) -> None:
        """Make it a request. Raises HeadraceError."""
        data = self._given.data
        body = await self._store.read(self._given) if data is None else data
        order = orders.order_of(self._given.head, body)
        if self._reason is not None:  # meanwhile
            self._ending.set_result(None)
            return
        self._output = Output(order.label or self.job.id)
        limit_s = min(self.job.terms.timeout_s, self.endpoint.timeout_s)
        lower = Lower(limit_s, is_suspect=self.job.losses > 0)
        ends = Ends(self._ended, self._has_left, self._telling.progress, self._heard)
        envelope = self._envelope(order, body)
        if self.endpoint.deployment not in self._driver.engine.pools:
            raise StillLoading("a reload has put another in its place", retry_after_s=RELOADED_S)
        self._asked = self._background.ask(self.endpoint.deployment, envelope, lower, ends)

    def _envelope(self, order: Order, body: bytes) -> Envelope:
        endpoint, region, head = self.endpoint, self.endpoint.region, order.head
        if endpoint.kind == "model" and not endpoint.wants_head:
            head = None
        return Envelope(
            order.label or self.job.id,
            inf,
            self.job.attempt,
            order.content_type,
            body if region is None else region.put(body),
            None if head is None else _complete(head, order, len(body)),
            None,
            order.model_id if endpoint.multiplexed else "",
            JobAttempt(self.job.id, self.job.attempt, endpoint.function),
        )

    # --- what is told to it ------------------------------------------------------------------

    def heed(self, pulse: Pulse) -> None:
        """Take what the store says of it."""
        if pulse is Pulse.CANCELING:
            self.give_up(Reason.CANCELED)
        elif pulse is Pulse.STALE:
            self.give_up(Reason.STALE)

    def give_up(self, reason: Reason) -> None:
        """Stop it; of two reasons to stop, that it counts no more is the better one."""
        if self._reason is None or reason is Reason.STALE:
            self._reason = reason
        if self._asked is not None:
            self._driver.hang_up(self._asked)

    def give_back(self) -> None:
        """Stop it if no replica has begun it; one that runs may end."""
        if self._asked is None or not self._background.has_begun(self._asked):
            self.give_up(Reason.GIVEN_BACK)

    def _heard(self, part: Part) -> None:
        try:
            items = self._output.add(part)
        except HeadraceError as error:
            self._too_large = error
            self.give_up(Reason.CANCELED)
        else:
            self._telling.parts(1, items)

    def _took(self, parts: int) -> None:
        if self._asked is not None and not self._ending.done():
            self._driver.took(self._asked, parts)

    def _ended(self, ending: Ending) -> None:
        if isinstance(ending, Draining) and self._asked and self._background.is_over(self._asked):
            self._reason = self._reason or Reason.GIVEN_BACK  # it was cut before it began
        self._ending.set_result(ending)

    def _has_left(self) -> None:
        self._left.set_result(None)


def _complete(head: Head, order: Order, size_bytes: int) -> Head:
    """Return a head with what an application looks for in it: the length, and the request's id."""
    own = {LABEL, LENGTH}
    headers = [header for header in head.headers if header[0].lower() not in own]
    headers.append((LENGTH, b"%d" % size_bytes))
    if order.label:
        headers.append((LABEL, order.label.encode("latin-1", "replace")))
    return replace(head, headers=headers, more=False)
