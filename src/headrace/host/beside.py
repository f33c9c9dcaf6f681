"""The engine worker beside app workers: what it serves, and on what terms.

It has the jobs of a plain application, and nothing else; only app workers ask it. What concerns
clients is theirs: TLS, the access log, what stands around an application.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import msgspec

from headrace.host.control import Plan
from headrace.host.jobs_file import jobs_file
from headrace.host.targets import Found
from headrace.host.travelling import packed
from headrace.settings.table import NAMES, Settings

JOBS: Final = "/-/jobs"
"""Where the pages of jobs always are."""
USUAL_PATH: Final = next(each.default for each in fields(Settings) if each.name == "jobs_path")
OF_CLIENTS: Final = (
    *("tls_certfile", "tls_keyfile", "tls_keyfile_password", "tls_ca_certs"),
    *("access_log", "cors_origins", "gzip", "middleware", "trusted_proxies"),
    *("enable_shutdown_api", "audit_log", "debug"),
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the arbiter starts beside app workers."""

    plan: Plan
    inner: socket.socket
    """Where it is asked."""


def jobs_path(settings: Settings) -> str:
    """Return where jobs are told of beside a plain application, which owns every bare path.

    One that somebody named is not its own any more.
    """
    return JOBS if settings.jobs_path == USUAL_PATH else settings.jobs_path


def has_jobs(found: Found, settings: Settings) -> bool:
    """Tell whether an application needs an engine worker beside it."""
    return found.app is not None and bool(found.applications) and settings.jobs


def plan_beside(plan: Plan, settings: Settings, sockets: Sequence[socket.socket]) -> Plan:
    """Return what the engine worker serves, where `plan` is that of the app workers.

    Its jobs go by the address of their `sockets`: its own is another one after every start.
    """
    usual = Settings()
    told: dict[str, Any] = {name: getattr(settings, name) for name in NAMES}
    told |= {name: getattr(usual, name) for name in OF_CLIENTS}
    told |= {"jobs_path": jobs_path(settings), "workers": 1}
    told["jobs_file"] = str(jobs_file(settings, sockets))
    return msgspec.structs.replace(plan, app=None, settings=packed(told), shutdown_key="")
