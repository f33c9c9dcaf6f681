"""What a deployment's options are to the engine, to the front door, and to a debugger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from headrace.core.batching import BatchPolicy
from headrace.core.health import HealthPolicy
from headrace.core.records import Policy
from headrace.core.scaling import ScalePolicy
from headrace.host.devices import cores
from headrace.host.settings import Settings
from headrace.http.keys import Keys
from headrace.model.concurrency import threads_for
from headrace.model.deployment import Options
from headrace.model.replicas import range_of
from headrace.model.served import Served
from headrace.runtime.loader import load_policy


def keys_of(deployments: Sequence[Served], settings: Settings) -> dict[str, Keys]:
    """Return the keys of those deployments that have some. Raises ConfigError."""
    asked = {served.name: served.options.api_keys for served in deployments}
    keys = {
        name: Keys(own, f"{name}: deployment option `api_keys`")
        for name, own in asked.items()
        if own is not None
    }
    if settings.api_keys is not None and None in asked.values():
        common = Keys(settings.api_keys, "setting `api_keys`")
        keys |= {name: common for name, own in asked.items() if own is None}
    return keys


def timeout_s(served: Served) -> float:
    """Return how long a request may take in all."""
    options = served.options
    limit_s = options.stream_timeout_s if served.streams else options.timeout_s
    return float("inf") if limit_s is None else limit_s


def to_debug(served: Served) -> Served:
    """Return a deployment whose code a debugger can stop, for as long as it takes."""
    endless = replace(served.options, timeout_s=None, stream_timeout_s=None)
    options = replace(endless, executor="inline", replicas=1)
    return msgspec.structs.replace(served, options=options)


def with_workers(served: Served, settings: Settings) -> Served:
    """Return a deployment of functions with as many replicas as the settings say, if no option."""
    if served.kind != "job" or "replicas" in served.options.given:
        return served
    options = replace(served.options, replicas=settings.job_workers)
    return msgspec.structs.replace(served, options=options)


def _waits(served: Served, settings: Settings) -> bool:
    """Tell whether requests wait for their deployment to be loaded; jobs have the time."""
    return served.kind == "job" or settings.while_loading == "wait"


def _batches(served: Served) -> BatchPolicy:
    if not served.batched:
        return BatchPolicy(served.batch_size)
    options = served.options
    return BatchPolicy(served.batch_size, options.batch_wait_s, options.batch_latency_target_s)


def _retries(served: Served) -> bool:
    asked = served.options.retry_on_crash
    return served.kind == "model" if asked is None else asked


def _scale(options: Options) -> ScalePolicy | None:
    allowed = range_of(options.replicas, cores())
    if allowed.is_fixed:
        return None
    return ScalePolicy(
        allowed.least,
        allowed.most,
        options.target_ongoing_requests,
        options.upscale_delay_s,
        options.downscale_delay_s,
    )


def _health(served: Served) -> HealthPolicy | None:
    if not served.tells_health:
        return None
    options = served.options
    threads = threads_for(options, served.layout, served.streams)
    is_leaf = served.kind == "model" and served.layout == "sync" and threads == 1
    return HealthPolicy(
        options.health_check_period_s,
        options.health_check_timeout_s,
        between_calls=is_leaf and options.executor == "process",
    )


def policy_of(served: Served, settings: Settings) -> Policy:
    """Return what a deployment's options are to the engine."""
    options = served.options
    stops = options.interruptible and options.executor == "process"
    return Policy(
        replicas=range_of(options.replicas, cores()).at_first,
        batch=_batches(served),
        max_queued=options.max_queued_requests,
        max_queued_bytes=options.max_queued_bytes,
        slots=served.slots,
        retry_on_crash=_retries(served),
        item_timeout_s=options.timeout_s if served.streams else None,
        keeps_pace=served.kind == "model",
        send_ahead=not served.streams,
        cancel_grace_s=options.cancel_grace_s if stops else None,
        load=load_policy(options, waits=_waits(served, settings)),
        scale=_scale(options),
        health=_health(served),
        multiplexed=served.multiplexed,
    )
