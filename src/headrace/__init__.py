"""Headrace puts a Python model or algorithm behind HTTP, in replicas of their own.

import headrace as hr

class Hello(hr.Model):
    def predict(self, name: str) -> str:
        return f"Hello, {name}!"

hr.run(Hello)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace import testing as testing
    from headrace._version import __version__
    from headrace.client.jobs import JobsClient
    from headrace.errors import Cancelled, HeadraceError, HTTPError
    from headrace.model.adapters import Decode, Encode
    from headrace.model.api import DONE, Model
    from headrace.model.batch import batch
    from headrace.model.binding import bind
    from headrace.model.context import Context, current_context
    from headrace.model.deployment import deployment
    from headrace.model.handle import Handle, handle
    from headrace.model.ingress import ingress
    from headrace.model.job import job
    from headrace.model.multiplexed import multiplexed
    from headrace.model.submit import Job, submit
    from headrace.model.types import Request, Upload
    from headrace.running import Running
    from headrace.server import Server, run, start

__all__ = [
    "DONE",
    "Cancelled",
    "Context",
    "Decode",
    "Encode",
    "HTTPError",
    "Handle",
    "HeadraceError",
    "Job",
    "JobsClient",
    "Model",
    "Request",
    "Running",
    "Server",
    "Upload",
    "__version__",
    "batch",
    "bind",
    "current_context",
    "deployment",
    "handle",
    "ingress",
    "job",
    "multiplexed",
    "run",
    "start",
    "submit",
]

_ROOMS = {
    "DONE": "model.api",
    "Cancelled": "errors",
    "Context": "model.context",
    "Decode": "model.adapters",
    "Encode": "model.adapters",
    "HTTPError": "errors",
    "Handle": "model.handle",
    "HeadraceError": "errors",
    "Job": "model.submit",
    "JobsClient": "client.jobs",
    "Model": "model.api",
    "Request": "model.types",
    "Running": "running",
    "Server": "server",
    "Upload": "model.types",
    "__version__": "_version",
    "batch": "model.batch",
    "bind": "model.binding",
    "current_context": "model.context",
    "deployment": "model.deployment",
    "handle": "model.handle",
    "ingress": "model.ingress",
    "job": "model.job",
    "multiplexed": "model.multiplexed",
    "run": "server",
    "start": "server",
    "submit": "model.submit",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: a replica never loads the HTTP server."""
    if name == "testing":  # hr.testing.Client, without a second import
        return import_module("headrace.testing")
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    found: object = getattr(import_module(f"headrace.{room}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
