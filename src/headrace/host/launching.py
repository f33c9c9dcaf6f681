"""From settings to a running tree: folders, sockets, pidfile, daemon, rights, in this order."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import socket
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from headrace.core.forest import Forest
from headrace.core.tree import Tree
from headrace.core.workers import TreePolicy
from headrace.errors import ConfigError, StartError
from headrace.host import admin, farewell, shutdown_keys
from headrace.host.announcing import Announcer
from headrace.host.arbiter import Arbiter
from headrace.host.audit import Audit
from headrace.host.beside import Beside, has_jobs, plan_beside
from headrace.host.control import Plan
from headrace.host.daemon import Outcome, Shell, daemonize
from headrace.host.inner import listening as inner_socket
from headrace.host.logs import log_to_stderr
from headrace.host.pidfile import PidFile
from headrace.host.sockets import adopt, bind_all, close
from headrace.host.systemd import Notifier, inherited
from headrace.host.targets import Found
from headrace.host.tls import context_of
from headrace.host.travelling import packed
from headrace.model.application import routes_of
from headrace.settings.table import NAMES, Settings

STREAM_LOGS = (None, "-")


def launch(target: str, found: Found, settings: Settings) -> None:
    """Serve `found` in workers until somebody asks for the end. Raises StartError."""
    plan, audit = _plan(target, found, settings), Audit(settings.audit_log)
    _enter(settings)
    notifier, shell = Notifier(os.environ), None
    try:
        with contextlib.ExitStack() as stack:
            source = plan.settings["on_shutdown"]
            stack.callback(lambda: farewell.tell_in_child(source, audit.report))
            sockets = stack.enter_context(_listening(settings))
            beside = None
            if has_jobs(found, settings):
                inner = stack.enter_context(inner_socket(*_owners(settings)))
                plan = msgspec.structs.replace(plan, inner=inner.getsockname())
                beside = Beside(plan_beside(plan, settings, sockets), inner)
            pidfile = None
            if settings.pidfile is not None:
                pidfile = stack.enter_context(contextlib.closing(PidFile(settings.pidfile)))
            commands = stack.enter_context(admin.listening(settings))
            shell = _leave_terminal(settings, notifier)
            if pidfile is not None:
                pidfile.write(os.getpid())
            stack.enter_context(shutdown_keys.told(plan.shutdown_key, settings))
            _drop_rights(settings)
            log_to_stderr(settings.log_level, settings.error_log)
            announcer = Announcer(sockets, settings.scheme, notifier, pidfile, shell)
            forest = _forest(settings, is_engine=found.app is None, has_jobs=beside is not None)
            arbiter = Arbiter(forest, plan, settings, sockets, announcer, audit)
            arbiter.admin, arbiter.beside = commands, beside
            with asyncio.Runner() as runner:  # uvloop keeps SIGCHLD for itself
                runner.run(arbiter.run())
    except StartError as error:
        if shell is not None:  # its command may look at once for what is left
            shell.tell(_outcome(error))
        raise


def _outcome(error: StartError) -> Outcome:
    told = getattr(error, "traceback", "").rstrip()
    return Outcome(error.exit_code, f"{told}\nheadrace: {error}".lstrip())


def _forest(settings: Settings, *, is_engine: bool, has_jobs: bool) -> Forest:
    front = Tree(policy_of(settings, is_engine=is_engine))
    if not has_jobs:
        return Forest(front)
    policy = replace(policy_of(settings, is_engine=True), name="engine worker")
    return Forest(front, Tree(policy, ids=front.ids))


def policy_of(settings: Settings, *, is_engine: bool) -> TreePolicy:
    """Return what the settings say to the tree."""
    return TreePolicy(
        workers=1 if is_engine else settings.workers,
        is_engine=is_engine,
        grace_s=settings.graceful_timeout_s,
        drain_delay_s=settings.drain_delay_s,
        startup_timeout_s=settings.startup_timeout_s,
        silence_s=settings.worker_timeout_s,
        stop_first=settings.reload == "stop_first",
        max_requests=settings.max_requests,
        max_requests_jitter=settings.max_requests_jitter,
        max_memory_bytes=settings.max_memory_bytes,
    )


def _plan(target: str, found: Found, settings: Settings) -> Plan:
    """Return what a worker is to serve. Raises ConfigError for what cannot be."""
    if found.app is None:
        if not found.deployments:
            raise ConfigError(
                f"{target} has nothing to serve: name a model class or an application"
            )
        routes_of(found.applications)
        if settings.workers > 1:
            raise ConfigError(
                f"setting `workers` is for plain ASGI and WSGI applications; models have one, and "
                f"as many replicas as you like: @hr.deployment(replicas={settings.workers}), "
                "and workers=1"
            )
    if settings.daemon and settings.error_log in STREAM_LOGS:
        raise ConfigError(
            "setting `daemon` leaves no terminal to write to: name a file for what is logged, "
            "--error-log /var/log/headrace.log"
        )
    context_of(settings)  # wrong papers are told now, not by every worker
    told = packed({name: getattr(settings, name) for name in NAMES})
    shutdown_keys.check_daemon(settings)
    key = shutdown_keys.made(settings)
    said = (key, found.origins, found.files)
    return Plan(target, found.app, found.applications, told, 0, 0, *said)


def _enter(settings: Settings) -> None:
    """Take on what the settings say of the process itself. Raises ConfigError."""
    os.environ.update(settings.env)
    if settings.umask is not None:
        os.umask(settings.umask)
    if settings.chdir is not None:
        try:
            os.chdir(settings.chdir)
        except OSError as error:
            raise ConfigError(
                f"setting `chdir`: cannot enter {settings.chdir}: {error.strerror}"
            ) from error


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """Hold the listening sockets: those that systemd opened, or those that the settings name."""
    given = inherited(os.environ)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    addresses = settings.bind or (f"{host}:{settings.port}",)
    sockets = [adopt(fd) for fd in given] if given else bind_all(addresses)
    try:
        for sock in sockets:
            sock.listen(settings.backlog)
        yield sockets
    finally:
        for sock in sockets:
            sock.close() if given else close(sock)


def _leave_terminal(settings: Settings, notifier: Notifier) -> Shell | None:
    if not settings.daemon or settings.error_log is None:
        return None
    try:
        shell = daemonize(settings.error_log)
    except OSError as error:
        raise ConfigError(
            f"setting `error_log`: cannot write {settings.error_log}: {error.strerror}"
        ) from error
    notifier.main_process(os.getpid())
    return shell


def _owners(settings: Settings) -> tuple[int, int]:
    """Return the user and group that the settings name; -1 for those that stay. See `os.chown`."""
    user = None if settings.user is None else _user(settings.user)
    gid = -1 if user is None else user.pw_gid
    return (
        -1 if user is None else user.pw_uid,
        gid if settings.group is None else _gid(settings.group),
    )


def _drop_rights(settings: Settings) -> None:
    """Become the user and group of the settings: the sockets are bound. Raises ConfigError."""
    if settings.user is None and settings.group is None:
        return
    user = _user(settings.user) if settings.user is not None else None
    gid = _gid(settings.group) if settings.group is not None else None
    try:
        admin.hand_over(
            settings, user.pw_uid if user is not None else -1, -1 if gid is None else gid
        )
        if gid is not None or user is not None:
            os.setgid(gid if gid is not None else user.pw_gid if user is not None else os.getgid())
        if user is not None:
            if os.geteuid() == 0:
                os.initgroups(user.pw_name, user.pw_gid if gid is None else gid)
            os.setuid(user.pw_uid)
    except PermissionError as error:
        raise ConfigError(
            f"only root may become user {settings.user or '-'}, group {settings.group or '-'}: "
            "start the server as root, or leave both settings out"
        ) from error


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(f"setting `user`: this machine has no user {name}") from None


def _gid(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"setting `group`: this machine has no group {name}") from None
