"""The settings as keywords, for type checkers; the table says what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from headrace.settings.checks import Middleware

Path = str | os.PathLike[str]
Level = Literal["debug", "info", "warning", "error", "critical"]
Reload = Literal["rolling", "stop_first"]
WhileLoading = Literal["refuse", "wait"]


class SettingWords(TypedDict, total=False):
    """The settings as keywords, for type checkers; Settings says what they mean."""

    host: str
    port: int
    bind: str | Sequence[str]
    backlog: int
    root_path: str
    trusted_proxies: Sequence[str]
    workers: int
    threads: int
    max_requests: int
    max_requests_jitter: int
    max_memory_bytes: int | None
    worker_timeout_s: float
    startup_timeout_s: float
    daemon: bool
    pidfile: Path | None
    user: str | int | None
    group: str | int | None
    umask: int | None
    chdir: Path | None
    env: Mapping[str, str]
    graceful_timeout_s: float
    drain_linger_s: float
    drain_delay_s: float
    reload_timeout_s: float
    reload_at: str | None
    reload: Reload
    dev: bool
    on_shutdown: Callable[..., Any] | None
    enable_shutdown_api: bool
    shutdown_path: str
    shutdown_allow: Sequence[str]
    while_loading: WhileLoading
    memory_budget_bytes: int | None
    log_level: str
    audit_log: Path | None
    access_log: Path | None
    access_log_format: str
    error_log: Path | None
    keep_alive_timeout_s: float
    max_body_bytes: int
    max_connections: int
    header_timeout_s: float
    body_idle_timeout_s: float
    min_body_bytes_per_s: int
    write_timeout_s: float
    max_header_bytes: int
    max_headers: int
    max_url_bytes: int
    websocket_max_bytes: int
    websocket_ping_s: float
    jobs: bool
    jobs_file: Path | None
    jobs_path: str
    job_timeout_s: float | None
    job_retention_s: float
    job_lease_s: float
    max_queued_jobs: int
    job_workers: int
    debug: bool
    api_keys: str | Sequence[str] | None
    cors_origins: Sequence[str]
    gzip: bool
    middleware: Middleware
    tls_certfile: Path | None
    tls_keyfile: Path | None
    tls_keyfile_password: str | None
    tls_ca_certs: Path | None
