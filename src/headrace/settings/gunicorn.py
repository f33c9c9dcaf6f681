"""Gunicorn's words: which setting each means, what is told of those that mean nothing here."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.settings.said import near
from headrace.settings.table import TABLE

NAMES: Mapping[str, str] = {
    setting.row.gunicorn: name for name, setting in TABLE.items() if setting.row.gunicorn
}
"""Its names, each with ours."""

_BY_LIFE = "put what it does into the application's lifespan, or a model's setup"
_BY_END = "put what it does into the application's lifespan, or a model's teardown"
_BY_MIDDLEWARE = "put what it does into a middleware"
_BY_MANAGER = "put what it does beside the server's start: systemd's ExecStartPost, or the shell"
HOOKS: Mapping[str, str] = {
    "on_starting": _BY_MANAGER,
    "when_ready": _BY_MANAGER,
    "on_reload": _BY_MANAGER,
    "on_exit": "the setting `on_shutdown`, given in code, is called with a report of each stop",
    "pre_fork": _BY_LIFE,
    "post_fork": _BY_LIFE,
    "post_worker_init": _BY_LIFE,
    "pre_exec": _BY_MANAGER,
    "pre_request": _BY_MIDDLEWARE,
    "post_request": _BY_MIDDLEWARE,
    "worker_int": _BY_END,
    "worker_abort": _BY_END,
    "worker_exit": _BY_END,
    "child_exit": _BY_END,
    "nworkers_changed": _BY_MANAGER,
    "ssl_context": "tls_certfile, tls_keyfile and tls_ca_certs say what is served",
    "on_dirty_starting": _BY_LIFE,
    "dirty_post_fork": _BY_LIFE,
    "dirty_worker_init": _BY_LIFE,
    "dirty_worker_exit": _BY_END,
}
"""Its server hooks, none of which is run; each with what to do in its place."""

_LOGS = "set error_log and access_log, or configure logging in the application"
_TLS = "TLS 1.2 and later with Python's own choice of ciphers is spoken"
_STRICT = "what two servers could read in two ways is always refused"
_MODELS = "models have replicas of their own here: @hr.deployment(replicas=2)"
WITHOUT_MEANING: Mapping[str, str] = {
    "preload_app": "workers are never forked from a loaded parent; each imports the application",
    "worker_class": "ASGI and WSGI applications are told apart by themselves",
    "worker_connections": "max_connections bounds the clients of a worker",
    "worker_tmp_dir": "workers are watched without files",
    "wsgi_app": "name the application on the command line: headrace serve -c FILE module:app",
    "proc_name": "processes keep their names",
    "default_proc_name": "processes keep their names",
    "pythonpath": "set PYTHONPATH",
    "reuse_port": "the workers share one socket",
    "sendfile": "the application decides",
    "initgroups": "the groups of `user` are set if `user` is",
    "tmp_upload_dir": "large bodies stay in memory",
    "reload_engine": "--dev finds changed files by itself",
    "reload_extra_files": "--dev watches the files of the program",
    "check_config": "run headrace check",
    "print_config": "run headrace serve --print-config",
    "spew": "signal USR2 dumps stacks",
    "config": "the file in use is the one of -c",
    "paste": "name the application as module:app",
    "raw_paste_global_conf": "name the application as module:app",
    "proxy_protocol": "the PROXY protocol is not spoken; let the proxy send X-Forwarded-For",
    "proxy_allow_ips": "the PROXY protocol is not spoken; let the proxy send X-Forwarded-For",
    "secure_scheme_headers": "X-Forwarded-Proto counts, from trusted_proxies",
    "forwarder_headers": "X-Forwarded-For and -Proto count, from trusted_proxies",
    "header_map": "headers with underscores are dropped for WSGI where they could be mistaken",
    "strip_header_spaces": _STRICT,
    "casefold_http_method": _STRICT,
    "permit_unconventional_http_method": _STRICT,
    "permit_unconventional_http_version": _STRICT,
    "permit_obsolete_folding": _STRICT,
    "ssl_version": _TLS,
    "cert_reqs": "tls_ca_certs asks for clients' certificates",
    "ciphers": _TLS,
    "do_handshake_on_connect": "handshakes have 10 s",
    "suppress_ragged_eofs": _TLS,
    "capture_output": "what workers print reaches the log anyway",
    "enable_stdio_inheritance": "what workers print reaches the log anyway",
    "disable_redirect_access_to_syslog": _LOGS,
    "logger_class": _LOGS,
    "logconfig": _LOGS,
    "logconfig_dict": _LOGS,
    "logconfig_json": _LOGS,
    "syslog": _LOGS,
    "syslog_addr": _LOGS,
    "syslog_prefix": _LOGS,
    "syslog_facility": _LOGS,
    "statsd_host": "scrape /-/metrics",
    "statsd_prefix": "scrape /-/metrics",
    "dogstatsd_tags": "scrape /-/metrics",
    "enable_backlog_metric": "scrape /-/metrics",
    "asgi_loop": "uvloop is used where it is there",
    "asgi_lifespan": "an application's lifespan is run if it has one",
    "asgi_disconnect_grace_period": "an application hears of a disconnect at once",
    "http_protocols": "HTTP/1.1 is spoken; let a proxy in front speak HTTP/2",
    "http2_max_concurrent_streams": "HTTP/1.1 is spoken; let a proxy in front speak HTTP/2",
    "dirty_apps": _MODELS,
    "dirty_workers": _MODELS,
    "dirty_threads": _MODELS,
    "dirty_timeout": _MODELS,
    "dirty_graceful_timeout": _MODELS,
}
"""Its settings that are accepted and change nothing; each with why."""

KNOWN: Mapping[str, object] = {**TABLE, **NAMES, **HOOKS, **WITHOUT_MEANING}
"""Every name that is a setting in a Python file; any other is a variable of its owner's."""


def concerns(name: str) -> bool:
    """Tell whether a name in a Python file is a setting, or near enough to be meant for one."""
    return name in KNOWN or meant(name) is not None


def meant(name: str) -> str | None:
    """Return the setting that a name was probably meant for: one slip away, or `_` apart."""
    if name in KNOWN or name != name.lower() or name.startswith("_"):
        return None
    bare = {known.replace("_", ""): known for known in KNOWN}
    return near(name, KNOWN) or bare.get(name.replace("_", ""))
