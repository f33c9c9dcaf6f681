"""Where jobs are met on a server: which routes take them, and at which paths their pages are.

The pages are always at `/-/jobs`. They are at the setting's path too, `/jobs` where none is named,
unless a route of the server's own deployments has that; an application at `/` has every bare path
that nobody named.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from headrace.host.settings import Settings
from headrace.http.body import Pace
from headrace.http.jobs import JobPages
from headrace.http.jobs_deferred import Deferred, Deferring
from headrace.http.jobs_submitting import Submitting
from headrace.http.jobs_watch import Watch
from headrace.http.messages import App
from headrace.http.routing import ROOT
from headrace.jobs.jobs import Jobs
from headrace.runtime.metrics import Endings

log = logging.getLogger("headrace.server")
OURS, ALIAS = "/-/jobs", "/jobs"


class JobDoors:
    """The ways to the jobs of one server."""

    def __init__(self, jobs: Jobs, settings: Settings, pace: Pace) -> None:
        """`pace` is how fast bodies must come."""
        self._settings = settings
        self._watch = Watch(jobs)
        submitting = Submitting(jobs, self._watch, pace)
        self._pages = JobPages(jobs, self._watch, submitting, settings.root_path)
        self._submitting, self._base = submitting, OURS
        self._has_warned = False

    def pages(self, routes: Collection[str], below: Collection[str]) -> dict[str, App]:
        """Return the paths of the pages, each with what answers there and below.

        `routes` are all of the deployments', `below` those that are prefixes.
        """
        path = self._settings.jobs_path
        owners = [each for each in routes if each == path or each.startswith(f"{path}/")]
        if owners and not self._has_warned:
            self._has_warned = True
            log.warning("%s is a route of this server, so jobs are at %s alone", owners[0], OURS)
        is_free = not owners and (path != ALIAS or ROOT not in below)
        self._base = path if is_free else OURS
        return {base: self._pages.at(base) for base in {OURS, self._base}}

    @property
    def base(self) -> str:
        """Where the pages are as people are told, as `pages` last found out."""
        return self._base

    def deferred(self, app: App, route: str, endings: Endings, *, is_prefix: bool) -> App:
        """Return a route that takes jobs too; ask `pages` first."""
        deferring = Deferring(self._submitting, self._base, self._settings.root_path)
        prefix = route.rstrip("/") if is_prefix else ""
        return Deferred(app, route, deferring, endings, prefix=prefix)

    def let_go(self) -> None:
        """Let nobody wait any longer: the server is to stop, and they may ask its successor."""
        self._watch.let_go()
