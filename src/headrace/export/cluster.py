"""A Kubernetes Deployment and its Service: probes, a stop that loses nothing, no rights."""

from __future__ import annotations

import math
from dataclasses import replace

from headrace.export.containers import USER
from headrace.export.facts import Facts
from headrace.export.filling import form

DELAY_S = 5.0
"""How long a pod serves on after its SIGTERM, where the settings say nothing."""
STARTUP_EVERY_S, LIVE_EVERY_S = 2, 10
LEAST_TRIES = 3
GPUS = "            limits: {{nvidia.com/gpu: {count}}}\n"


def kubernetes(facts: Facts) -> str:
    """Return the manifests, in one file."""
    settings = facts.settings
    delay_s = settings.drain_delay_s or DELAY_S
    facts = replace(facts, settings=replace(settings, drain_delay_s=delay_s))
    return form("kubernetes.yaml").substitute(
        target=facts.target,
        name=facts.name,
        delay_s=f"{delay_s:g}",
        grace_s=f"{settings.graceful_timeout_s:g}",
        stop_s=facts.stop_s,
        user=USER,
        port=facts.port,
        scheme=settings.scheme.upper(),
        startup_s=f"{facts.startup_s:g}",
        startup_tries=math.ceil(facts.startup_s / STARTUP_EVERY_S) + 1,
        live_tries=_live_tries(facts),
        cpus=facts.cpus,
        gpus=GPUS.format(count=facts.gpus) if facts.gpus else "",
    )


def _live_tries(facts: Facts) -> int:
    """Return how many silences end a pod: more than the server needs to mend itself."""
    silence_s = facts.settings.worker_timeout_s if facts.is_app else 0.0
    return max(LEAST_TRIES, math.ceil(silence_s / LIVE_EVERY_S) + 1)
