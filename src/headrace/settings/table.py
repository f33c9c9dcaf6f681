"""The table of settings: name, type, default, and a row each. Every spelling comes from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, get_args, get_type_hints

from headrace.errors import ConfigError
from headrace.settings.checks import Middleware, is_loopback, is_open, normal
from headrace.settings.kinds import kind_of
from headrace.settings.limits import DEFAULTS, Limits
from headrace.settings.rows import Row
from headrace.settings.setting import Setting, unit_of
from headrace.settings.words import Level, Reload, WhileLoading

LEVELS: tuple[str, ...] = get_args(Level)
HIGHEST_PORT = 65535
COMMON_LOG_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the server is to run. Seconds end in `_s`, bytes in `_bytes`."""

    host: Annotated[
        str, Row("The address to listen on; 0.0.0.0 opens the server to the network.", restart=True)
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Row("The port to listen on; 0 takes a free one.", least=0, most=HIGHEST_PORT, restart=True),
    ] = 8000
    bind: Annotated[
        Sequence[str],
        Row(
            "In place of host and port: host:port, unix:/path or fd://N; may be several.",
            gunicorn="bind",
            restart=True,
        ),
    ] = ()
    backlog: Annotated[
        int,
        Row(
            "How many connections may wait in the kernel.",
            least=1,
            gunicorn="backlog",
            restart=True,
        ),
    ] = 2048
    root_path: Annotated[str, Row("The path that a proxy in front strips off.")] = ""
    trusted_proxies: Annotated[
        Sequence[str],
        Row(
            "Whose X-Forwarded-For and -Proto count: addresses, networks, * for any.",
            gunicorn="forwarded_allow_ips",
            flag="--trusted-proxy",
        ),
    ] = ()
    workers: Annotated[
        int,
        Row(
            "Processes of a plain ASGI or WSGI application.",
            least=1,
            gunicorn="workers",
            arbiter=True,
        ),
    ] = 1
    threads: Annotated[
        int,
        Row("Requests at once in each worker of a WSGI application.", least=1, gunicorn="threads"),
    ] = 1
    max_requests: Annotated[
        int,
        Row(
            "After so many requests a worker is replaced; 0 for never.",
            least=0,
            gunicorn="max_requests",
        ),
    ] = 0
    max_requests_jitter: Annotated[
        int,
        Row(
            "Up to so many more, by chance, so that not all go at once.",
            least=0,
            gunicorn="max_requests_jitter",
        ),
    ] = 0
    max_memory_bytes: Annotated[
        int | None, Row("Above so much memory a worker is replaced.", least=1 << 20, arbiter=True)
    ] = None
    worker_timeout_s: Annotated[
        float,
        Row(
            "How long a worker's event loop may be silent before it is ended; 0 for ever.",
            least=0,
            gunicorn="timeout",
            arbiter=True,
        ),
    ] = 30.0
    startup_timeout_s: Annotated[
        float, Row("How long a worker may take to be ready.", least=0.1, arbiter=True)
    ] = 600.0
    daemon: Annotated[
        bool,
        Row(
            "Serve in the background; the command returns when it is ready.",
            gunicorn="daemon",
            arbiter=True,
            restart=True,
        ),
    ] = False
    pidfile: Annotated[
        str | None,
        Row(
            "Where the server's process number is written.",
            gunicorn="pidfile",
            arbiter=True,
            restart=True,
        ),
    ] = None
    user: Annotated[
        str | None,
        Row(
            "Who the workers run as, once the sockets are bound.",
            gunicorn="user",
            arbiter=True,
            restart=True,
        ),
    ] = None
    group: Annotated[
        str | None,
        Row("The group that the workers run as.", gunicorn="group", arbiter=True, restart=True),
    ] = None
    umask: Annotated[
        int | None,
        Row(
            "The rights that files and unix sockets are made without.",
            least=0,
            most=0o777,
            octal=True,
            gunicorn="umask",
            arbiter=True,
            restart=True,
        ),
    ] = None
    chdir: Annotated[
        str | None, Row("The folder to serve from.", gunicorn="chdir", arbiter=True, restart=True)
    ] = None
    env: Annotated[
        Mapping[str, str],
        Row("Environment variables of the workers: NAME=value.", gunicorn="raw_env", arbiter=True),
    ] = field(default_factory=dict, hash=False)
    graceful_timeout_s: Annotated[
        float,
        Row("How long a stop waits for requests under way.", least=0, gunicorn="graceful_timeout"),
    ] = 30.0
    drain_linger_s: Annotated[
        float, Row("How long a silent connection may still ask when its worker stops.", least=0)
    ] = 1.0
    drain_delay_s: Annotated[
        float, Row("How long a stop goes on serving first, for balancers to look away.", least=0)
    ] = 0.0
    reload_timeout_s: Annotated[
        float, Row("How long streams of the old code may go on after a reload.", least=0)
    ] = 300.0
    reload_at: Annotated[
        str | None, Row("When to reload by itself, as cron text: `0 4 * * *`.", arbiter=True)
    ] = None
    reload: Annotated[
        Reload, Row("A reload brings the new up before the old goes, or stops the old first.")
    ] = "rolling"
    dev: Annotated[
        bool,
        Row(
            "Watch the files of the program, and reload when one changes.",
            gunicorn="reload",
            arbiter=True,
            restart=True,
        ),
    ] = False
    on_shutdown: Annotated[
        Callable[..., Any] | None, Row("Called with the report of each stop.")
    ] = field(default=None, repr=False)
    enable_shutdown_api: Annotated[
        bool, Row("Whether POST on shutdown_path, with a key, stops the server.")
    ] = False
    shutdown_path: Annotated[str, Row("Where that is.")] = "/shutdown"
    shutdown_allow: Annotated[
        Sequence[str], Row("Who may: addresses or networks; none named means anyone with a key.")
    ] = ()
    while_loading: Annotated[
        WhileLoading, Row("What requests do before their model is loaded.")
    ] = "refuse"
    memory_budget_bytes: Annotated[
        int | None, Row("How much memory all loaded models may take together.", least=1 << 20)
    ] = None
    log_level: Annotated[Level, Row("What is worth a line.", gunicorn="loglevel")] = "info"
    audit_log: Annotated[
        str | None, Row("A JSON line for each stop, and each call for one, into this file.")
    ] = None
    access_log: Annotated[
        str | None,
        Row("A line for each request, into this file; - is standard output.", gunicorn="accesslog"),
    ] = None
    access_log_format: Annotated[
        str, Row("Its form: Gunicorn's atoms, or json.", gunicorn="access_log_format")
    ] = COMMON_LOG_FORMAT
    error_log: Annotated[
        str | None, Row("The log, into this file; - is standard error.", gunicorn="errorlog")
    ] = None
    keep_alive_timeout_s: Annotated[
        float, Row("How long a silent connection is kept.", least=0, gunicorn="keepalive")
    ] = DEFAULTS.keep_alive_timeout_s
    max_body_bytes: Annotated[
        int, Row("The longest request body, where a deployment sets no other.", least=0)
    ] = 64 << 20
    max_connections: Annotated[
        int,
        Row("How many clients at once; less, if the process may not open as many files.", least=1),
    ] = DEFAULTS.max_connections
    header_timeout_s: Annotated[
        float, Row("How long a request's headers may take, from their first byte.", least=0.1)
    ] = DEFAULTS.header_timeout_s
    body_idle_timeout_s: Annotated[
        float, Row("How long a client may pause in the middle of a body.", least=0.1)
    ] = DEFAULTS.body_idle_timeout_s
    min_body_bytes_per_s: Annotated[
        int, Row("The slowest a body may come, on average after 10 s; 0 for any.", least=0)
    ] = DEFAULTS.min_body_bytes_per_s
    write_timeout_s: Annotated[
        float, Row("How long a client may take nothing of its response.", least=0.1)
    ] = DEFAULTS.write_timeout_s
    max_header_bytes: Annotated[
        int,
        Row(
            "The longest headers of a request, in all.",
            least=256,
            gunicorn="limit_request_field_size",
        ),
    ] = DEFAULTS.max_header_bytes
    max_headers: Annotated[
        int, Row("How many headers a request may have.", least=8, gunicorn="limit_request_fields")
    ] = DEFAULTS.max_headers
    max_url_bytes: Annotated[
        int, Row("The longest URL.", least=64, gunicorn="limit_request_line")
    ] = DEFAULTS.max_url_bytes
    websocket_max_bytes: Annotated[int, Row("The longest message of a WebSocket.", least=1)] = (
        16 << 20
    )
    websocket_ping_s: Annotated[
        float,
        Row("How often a silent WebSocket is asked for a sign of life; 0 for never.", least=0),
    ] = 20.0
    jobs: Annotated[
        bool,
        Row("Whether requests may go on as jobs, which are written down.", restart=True),
    ] = True
    jobs_file: Annotated[
        str | None,
        Row("Where they are: .headrace/jobs-PORT.sqlite3 if none is named.", restart=True),
    ] = None
    jobs_path: Annotated[str, Row("Where their pages are; they are at /-/jobs in any case.")] = (
        "/jobs"
    )
    job_timeout_s: Annotated[
        float | None, Row("How long one attempt at a job may take.", least=1)
    ] = None
    job_retention_s: Annotated[
        float, Row("How long a job's result is kept after its end.", least=0)
    ] = 86_400.0
    job_lease_s: Annotated[
        float,
        Row("After how long without a sign of life its worker is given up.", least=1, restart=True),
    ] = 30.0
    max_queued_jobs: Annotated[
        int, Row("How many jobs may wait for one endpoint.", least=1, restart=True)
    ] = 10_000
    job_workers: Annotated[
        int, Row("Replicas for functions that run as jobs, loaded when the first comes.", least=1)
    ] = 2
    debug: Annotated[
        bool, Row("One inline replica, no deadlines, tracebacks in answers; this machine only.")
    ] = False
    api_keys: Annotated[
        str | Sequence[str] | None,
        Row("Who may ask: keys, env:NAME or file:/path.", secret=True, flag="--api-key"),
    ] = field(default=None, repr=False)
    cors_origins: Annotated[
        Sequence[str],
        Row(
            "Whose pages may ask from a browser: https://host[:port], or * for any.",
            flag="--cors-origin",
        ),
    ] = ()
    gzip: Annotated[bool, Row("Compress answers of over 1 KB, where the client takes that.")] = (
        False
    )
    middleware: Annotated[
        Middleware, Row("ASGI middleware, a class with its keywords each, outermost first.")
    ] = field(default=(), repr=False)
    tls_certfile: Annotated[
        str | None,
        Row(
            "The certificate with its chain (PEM); the server then speaks https.",
            gunicorn="certfile",
        ),
    ] = None
    tls_keyfile: Annotated[
        str | None,
        Row("The certificate's key, where it is in a file of its own.", gunicorn="keyfile"),
    ] = None
    tls_keyfile_password: Annotated[
        str | None, Row("What opens an encrypted key, as env:NAME.", secret=True)
    ] = field(default=None, repr=False)
    tls_ca_certs: Annotated[
        str | None,
        Row(
            "Who vouches for clients (PEM); each must then show a certificate.", gunicorn="ca_certs"
        ),
    ] = None

    def __post_init__(self) -> None:
        for setting in TABLE.values():
            value = normal(setting.name, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)
            if wish := setting.wish(value):
                raise ConfigError(f"setting `{setting.name}` must be {wish}{setting.shown(value)}")
        self._check_debug()

    def _check_debug(self) -> None:
        opened = [bind for bind in self.bind if is_open(bind)]
        if not self.bind and not is_loopback(self.host):
            opened = [self.host]
        if self.debug and opened:
            raise ConfigError(
                f"setting `debug` shows the program's inside, so it is for this machine only: "
                f"host must be 127.0.0.1, not {opened[0]}"
            )

    @property
    def scheme(self) -> str:
        """How its URLs begin."""
        return "http" if self.tls_certfile is None else "https"

    def limits(self) -> Limits:
        """Return what concerns the front."""
        return Limits(**{limit.name: getattr(self, limit.name) for limit in fields(Limits)})


def _table() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    table = {}
    for one in fields(Settings):
        row: Row = hints[one.name].__metadata__[0]
        made = one.default_factory() if callable(one.default_factory) else one.default
        table[one.name] = Setting(
            one.name, kind_of(hints[one.name], unit_of(one.name, row)), made, row
        )
    return table


TABLE: Mapping[str, Setting] = _table()
NAMES = tuple(TABLE)
LEAST: Mapping[str, float] = {
    name: setting.row.least for name, setting in TABLE.items() if setting.row.least is not None
}
"""Below these no client could be served."""
