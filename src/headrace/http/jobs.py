"""The pages of jobs: what became of them, and what can be asked of them.

path             GET, HEAD            POST          PUT          DELETE
/jobs            a page of them       submit one
/jobs/{id}       one                                submit it    forget it
.../result       what it answered
.../events       what happens, live
.../cancel                            end it
.../retry                             once more

Events are for GET alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qsl

from headrace.core.jobs import JobId
from headrace.errors import HeadraceError, MethodNotAllowed, NoSuchJob
from headrace.http.body import ClientLeft
from headrace.http.jobs_deeds import Deeds
from headrace.http.jobs_shown import Place
from headrace.http.jobs_submitting import Submitting
from headrace.http.jobs_tenants import visitor
from headrace.http.jobs_visits import Deed, Visit
from headrace.http.jobs_watch import Watch
from headrace.http.labels import label_of
from headrace.http.messages import App, Receive, Response, Scope, Send, respond
from headrace.http.problems import from_error
from headrace.jobs.jobs import Jobs


class JobPages:
    """The endpoint of all of them."""

    def __init__(self, jobs: Jobs, watch: Watch, submitting: Submitting, root_path: str) -> None:
        """`root_path` is what a proxy in front strips off, where the server was told."""
        self._jobs, self._root_path = jobs, root_path
        deeds = Deeds(jobs, watch, submitting)
        self._of_all: Mapping[str, Deed] = {
            "GET": deeds.list_some,
            "HEAD": deeds.list_some,
            "POST": deeds.submit,
        }
        self._of_one: Mapping[str, Mapping[str, Deed]] = {
            "": {
                "GET": deeds.show,
                "HEAD": deeds.show,
                "PUT": deeds.submit,
                "DELETE": deeds.delete,
            },
            "result": {"GET": deeds.result, "HEAD": deeds.result},
            "events": {"GET": deeds.events},
            "cancel": {"POST": deeds.cancel},
            "retry": {"POST": deeds.retry},
        }

    def at(self, base: str) -> App:
        """Return what answers at this path and below."""
        return partial(self._answer, base)

    async def _answer(self, base: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        label = label_of(headers.get(b"x-request-id"))
        told: Response | None
        try:
            job, deed = self._find(base, scope)
            tenant = visitor(headers, self._jobs.endpoints.values())
            place = Place((scope.get("root_path", "") or self._root_path) + base)
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            visit = Visit(scope, receive, send, label, place, headers, query, tenant, job)
            told = await deed(visit)
        except HeadraceError as error:
            told = from_error(error, label.decode())
        except ClientLeft:
            return
        if told is not None:
            await respond(send, told, label)

    def _find(self, base: str, scope: Scope) -> tuple[JobId, Deed]:
        """Return which job a path names, and what is to be done. Raises NoSuchJob for no page."""
        path, method = scope["path"], scope["method"]
        job, _, page = path[len(base) :].strip("/").partition("/")
        deeds = self._of_one.get(page) if job else self._of_all
        if deeds is None:
            pages = ", ".join(f"/{name}" for name in self._of_one if name)
            raise NoSuchJob(f"nothing is at {path}: below a job are {pages}")
        deed = deeds.get(method)
        if deed is None:
            allow = ", ".join(deeds)
            raise MethodNotAllowed(f"{path} takes {allow}, not {method}", allow=allow)
        return JobId(job), deed
