"""What the pages of jobs do, one function each."""

from __future__ import annotations

from urllib.parse import urlencode

from headrace.core.jobs import Status, Tenant
from headrace.errors import BadRequest
from headrace.http.body import ClientLeft
from headrace.http.jobs_aiming import aimed
from headrace.http.jobs_events import Telling, heard_last
from headrace.http.jobs_prefer import preferences, seconds_to_wait
from headrace.http.jobs_results import accepted, result_of, whereabouts
from headrace.http.jobs_shown import is_live, listed, shown_whole
from headrace.http.jobs_submitting import Asked, Submitting
from headrace.http.jobs_tenants import found
from headrace.http.jobs_visits import Visit
from headrace.http.jobs_waiting import Patience
from headrace.http.jobs_watch import Watch
from headrace.http.messages import Response
from headrace.http.operations import as_json
from headrace.interfaces import Seen
from headrace.jobs.jobs import Jobs

USUAL_LIMIT, MOST_LIMIT = 50, 1000
ACCEPTED, NO_CONTENT = 202, 204


class Deeds:
    """Each takes a Visit, and returns its response. They raise HeadraceError and ClientLeft."""

    def __init__(self, jobs: Jobs, watch: Watch, submitting: Submitting) -> None:
        """Ask the store of these jobs."""
        self._jobs, self._watch, self._submitting = jobs, watch, submitting

    # --- look ----------------------------------------------------------------------------------

    async def show(self, visit: Visit) -> Response:
        """Tell how a job is; with `?wait=`, at its end or after so many seconds."""
        seen, _ = await self._seen(visit)
        response = as_json(shown_whole(seen, visit.place))
        headers = whereabouts(seen, visit.place)
        response.headers += [each for each in headers if each[0] != b"location"]
        return response

    async def result(self, visit: Visit) -> Response:
        """Answer what the job answered; `?wait=` is as for `show`."""
        seen, _ = await self._seen(visit)
        return await result_of(seen, self._jobs.store, visit.place, visit.label)

    async def events(self, visit: Visit) -> Response | None:
        """Tell what happens to a job, as it happens."""
        after = heard_last(visit.headers, visit.query)
        _, tenant = await self._look(visit)
        telling = Telling(self._jobs.store, self._watch, tenant, visit.job)
        return await telling.carry(visit.scope, visit.receive, visit.send, visit.label, after)

    async def list_some(self, visit: Visit) -> Response:
        """Tell of many jobs, the latest first; the cursor leads to those before them."""
        query = visit.query
        asked = {name: query[name] for name in ("status", "endpoint", "limit") if name in query}
        limit = _limit(query.get("limit"))
        page = await self._jobs.store.page(
            visit.tenant,
            _status(query.get("status")),
            query.get("endpoint"),
            query.get("cursor"),
            limit,
        )
        response = as_json(listed(page.jobs, page.cursor, visit.place))
        if page.cursor is not None:
            more = urlencode([*asked.items(), ("cursor", page.cursor)])
            link = f'<{visit.place.base}?{more}>; rel="next"'
            response.headers.append((b"link", link.encode()))
        return response

    # --- change --------------------------------------------------------------------------------

    async def cancel(self, visit: Visit) -> Response:
        """End a job: 200 where it is over, 202 where its work is about to be stopped."""
        await found(visit.tenant, lambda whose: self._jobs.store.cancel(whose, visit.job))
        seen, _ = await self._look(visit)
        response = as_json(shown_whole(seen, visit.place), ACCEPTED if is_live(seen.job) else 200)
        response.headers += whereabouts(seen, visit.place)
        return response

    async def retry(self, visit: Visit) -> Response:
        """Put a job back in line after its end."""
        await found(visit.tenant, lambda whose: self._jobs.store.retry(whose, visit.job))
        seen, _ = await self._look(visit)
        return accepted(seen, visit.place)

    async def delete(self, visit: Visit) -> Response:
        """Forget a job that is over."""
        await found(visit.tenant, lambda whose: self._jobs.store.delete(whose, visit.job))
        return Response(NO_CONTENT, b"")

    async def submit(self, visit: Visit) -> Response:
        """Submit what `?endpoint=` names, under the id of the path if there is one."""
        name, scope = aimed(visit.scope, visit.query, self._jobs.endpoints)
        prefer = preferences(visit.scope["headers"])
        asked = Asked(scope, visit.receive, visit.label, visit.place, prefer, visit.job or None)
        return await self._submitting.take(name, asked)

    # --- parts ---------------------------------------------------------------------------------

    async def _seen(self, visit: Visit) -> tuple[Seen, Tenant]:
        """Look at a job, and wait for its end as long as `?wait=` says."""
        wait_s = seconds_to_wait(visit.query.get("wait", "0"))
        if wait_s is None:
            raise BadRequest("wait is a number of seconds")
        seen, tenant = await self._look(visit)
        if not wait_s or not is_live(seen.job):
            return seen, tenant

        async def look() -> Seen:
            return await self._jobs.store.show(tenant, visit.job)

        patience = Patience(self._watch, visit.scope, visit.receive)
        seen = await patience.end_of(visit.job, look, wait_s)
        if patience.has_left:
            raise ClientLeft
        return seen, tenant

    async def _look(self, visit: Visit) -> tuple[Seen, Tenant]:
        """Look at a job, and say whose it is. Raises NoSuchJob."""
        seen = await found(visit.tenant, lambda whose: self._jobs.store.show(whose, visit.job))
        return seen, seen.job.tenant


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError:
        raise BadRequest(f"status is one of {', '.join(Status)}") from None


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_LIMIT
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= MOST_LIMIT:
        raise BadRequest(f"limit is a whole number from 1 to {MOST_LIMIT}")
    return int(text)
