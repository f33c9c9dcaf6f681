"""Runs the jobs of the store on the deployments of this server, as many at once as they can take.

Nothing is polled: the store tells of jobs that came, a replica of being ready, a job of its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from headrace.core.attempts import Pulse, Said
from headrace.core.jobs import ENDED, Job, JobNumber, Status, keep_until
from headrace.core.messages import DeploymentId
from headrace.errors import HeadraceError, StaleAttempt
from headrace.interfaces import Change, Claim, Hold, JobStore
from headrace.jobs import orders
from headrace.jobs.attempt import Attempt
from headrace.jobs.endpoints import JobEndpoint
from headrace.jobs.lane import Lane
from headrace.jobs.output import End
from headrace.jobs.tallies import Tallies
from headrace.jobs.times import Times
from headrace.jobs.trouble import Trouble
from headrace.runtime.background import Background
from headrace.runtime.driver import Driver

log = logging.getLogger("headrace.jobs")
SOONEST_S: Final = 0.1
"""When a deployment is asked again that took no jobs."""
GIVEN_BACK: Final[End] = (Said.RETURNED, None)
PULSES: Final[Mapping[Status, Pulse]] = {
    Status.CANCELING: Pulse.CANCELING,
    **dict.fromkeys(ENDED | {Status.QUEUED}, Pulse.STALE),
}
"""What a job's new status is to whoever runs it."""


class Runner:
    """Its life: `begin`, `lead` as often as one likes, `drain`, `close`."""

    def __init__(self, driver: Driver, store: JobStore, lease_s: float) -> None:
        """Run nothing yet."""
        self._driver, self._store = driver, store
        self._background = Background(driver)
        self.tallies, self.trouble = Tallies(), Trouble()
        self.times = Times(store, lease_s, self.trouble, self.stir)
        self.times.holds, self.times.heard = self._holds, self._heard
        self._lanes: dict[DeploymentId, Lane] = {}
        self._by_name: dict[str, Lane] = {}
        self._attempts: dict[JobNumber, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._is_open = self._is_pump_due = False

    @property
    def running(self) -> Mapping[str, int]:
        """How many jobs of each endpoint are in this server's hands."""
        counts: dict[str, int] = {}
        for attempt in self._attempts.values():
            counts[attempt.endpoint.name] = counts.get(attempt.endpoint.name, 0) + 1
        return counts

    # --- life ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Run what is there, and what comes."""
        self._is_open = not self._closing.is_set()
        self.times.begin()
        self.stir()

    def lead(self, endpoints: Mapping[str, JobEndpoint]) -> None:
        """Let these run the jobs from now on; what a replica has begun goes on where it is."""
        before, self._lanes, self._by_name = self._lanes, {}, {}
        for name, endpoint in endpoints.items():
            to = endpoint.deployment
            if to not in self._lanes:
                self._lanes[to] = Lane(to, before.get(to))
            self._lanes[to].endpoints[name] = endpoint
            self._by_name[name] = self._lanes[to]
        for attempt in list(self._attempts.values()):
            if attempt.endpoint.deployment not in self._lanes:
                attempt.give_back()
        self.wake()

    def drain(self) -> None:
        """Claim nothing more; what no replica has begun is given back, the rest may end."""
        self._is_open = False
        for attempt in list(self._attempts.values()):
            attempt.give_back()

    async def close(self) -> None:
        """Return when nothing is run any more, and all is written down that can be."""
        self.drain()
        self._closing.set()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self.times.close()

    # --- news ----------------------------------------------------------------------------

    def changed(self, changes: Sequence[Change]) -> None:
        """Jobs are not what they were, and that is written down."""
        for change in changes:
            self.tallies.changed(change)
            lane = self._by_name.get(change.endpoint)
            if change.status is Status.QUEUED and lane is not None:
                lane.stir()
            attempt = self._attempts.get(change.number)
            if attempt is not None and change.status in PULSES:
                attempt.heed(PULSES[change.status])
        self.times.look_soon()
        self.wake()

    def accepted(self, job: Job) -> None:
        """A job was submitted, for which something may be due at a time of its own."""
        self.tallies.submitted[job.endpoint] += 1
        self.times.look_at(min(job.deadline, job.due if job.terms.delay_s else job.deadline))

    def replica_ready(self, deployment: DeploymentId) -> None:
        """A replica of a deployment is ready."""
        if (lane := self._lanes.get(deployment)) is not None:
            lane.reopen()
            self.wake()

    def stir(self) -> None:
        """There may be jobs for all."""
        for lane in self._lanes.values():
            lane.stir()
        self.wake()

    def wake(self) -> None:
        """See at the end of this turn whether there is something to claim."""
        if self._is_open and not self._is_pump_due:
            self._is_pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _holds(self) -> Sequence[Hold]:
        return [attempt.hold for attempt in self._attempts.values()]

    def _heard(self, hold: Hold, pulse: Pulse) -> None:
        attempt = self._attempts.get(hold.number)
        if attempt is not None and attempt.hold == hold:
            attempt.heed(pulse)

    # --- claiming ------------------------------------------------------------------------

    def _pump(self) -> None:
        self._is_pump_due = False
        if not self._is_open or self.trouble.is_paused:
            return
        for lane in self._lanes.values():
            count = lane.wish(self._driver.engine.pools.get(lane.deployment))
            if count > 0:
                lane.is_claiming = True
                self._start(self._claim(lane, count))

    async def _claim(self, lane: Lane, count: int) -> None:
        at = lane.news
        try:
            claims = await self._store.claim(lane.names, count)
        except HeadraceError as error:
            self._wake_in(self.trouble.met(error))
            return
        finally:
            lane.is_claiming = False
        self.trouble.over()
        if len(claims) < count:
            lane.found_none(at)
        for claim in claims:
            self._begin(lane, claim)
        self.wake()

    def _begin(self, lane: Lane, claim: Claim) -> None:
        endpoint = lane.endpoints.get(claim.job.endpoint)
        if endpoint is None or not self._is_open:  # since it was asked for
            self._start(self._finish(claim.hold, GIVEN_BACK))
            return
        attempt = Attempt(claim, endpoint, self._store, self._driver, self._background)
        self._attempts[claim.job.number] = attempt
        self.times.held()
        self._start(self._run(lane, attempt))

    async def _run(self, lane: Lane, attempt: Attempt) -> None:
        lane.here += 1
        try:
            end = await attempt.live()
        except Exception as error:  # whoever waits for the job is to hear of it
            log.exception("job %s: a bug in Headrace", attempt.job.id)
            ours = HeadraceError(f"an error of the server's own: {type(error).__name__}")
            end = (Said.FAILED, orders.failure(ours, attempt.job.id))
        finally:
            lane.here -= 1
        if attempt.refusal is not None:
            wait_s = max(attempt.refusal.retry_after_s or 0.0, SOONEST_S)
            lane.close_for(wait_s)
            self._wake_in(wait_s)
        self.wake()
        if attempt.is_stale:
            self._drop(attempt)
        else:
            await self._finish(attempt.hold, end)
        if self._attempts.get(attempt.job.number) is attempt:
            del self._attempts[attempt.job.number]

    def _drop(self, attempt: Attempt) -> None:
        self.tallies.stale += 1
        job, number = attempt.job.id, attempt.hold.attempt
        log.info("attempt %d of job %s counts no more: its result is dropped", number, job)

    async def _finish(self, hold: Hold, end: End) -> None:
        """Write down how it ended, as soon as that can be."""
        said, outcome = end
        output = None if outcome is None else orders.output_of(outcome)
        self.tallies.said[said] += 1
        while True:
            try:
                job = await self._store.finish(hold, said, output)
            except StaleAttempt as stale:
                self.tallies.stale += 1
                log.info("%s", stale)
                return
            except HeadraceError as error:
                wait_s = self.trouble.met(error)
                if self._closing.is_set():
                    log.error("how job %d ended is lost, and it runs again: %s", hold.number, error)  # noqa: TRY400
                    return
                await self._pause(wait_s)
            else:
                self.trouble.over()
                self.times.look_at(_next_time(job))
                return

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def _wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _next_time(job: Job) -> float:
    """Return when something is due of a job that was just reported."""
    return job.due if job.status is Status.QUEUED else keep_until(job)
