"""Import a target in a child process, so that the server itself never runs user code.

A Python configuration file is run there too.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from headrace.errors import AddressError, ConfigError, SetupFailed, StartError, TargetError
from headrace.host.origin import Origin
from headrace.host.targets import Found, described_again, failure_of, find
from headrace.host.travelling import packed, unpacked
from headrace.host.watching import contents_of, imported_files
from headrace.model.application import Application, application_of, labels_of
from headrace.model.deployment import with_options
from headrace.model.served import Served, describe
from headrace.model.source import fetch
from headrace.replica.parent import die_with_parent
from headrace.settings.options import meant_by
from headrace.settings.python_file import Named, run_file
from headrace.settings.said import Said


class Failure(msgspec.Struct, frozen=True):
    """A StartError on its way between two processes."""

    kind: str
    message: str
    traceback: str


class Report(msgspec.Struct, frozen=True):
    """What the child found, or why not."""

    found: Found | None = None
    failure: Failure | None = None
    names: list[Named] = []
    """What a configuration file says."""
    again: list[Served] = []
    """Deployments, described anew."""


class Question(msgspec.Struct, frozen=True):
    """What the child is to find out: of a target, or of a configuration file."""

    targets: list[str] = []
    options: dict[str, dict[str, Said]] = {}
    """Options of its deployments that were said outside of its code."""
    config: str = ""
    sys_path: list[str] = []
    """Where to look for modules, beside the usual places."""
    again: list[Served] = []
    """In place of targets: deployments of which each is to be described as its code is by now."""


KINDS: dict[str, type[StartError]] = {
    kind.__name__: kind
    for kind in (AddressError, ConfigError, SetupFailed, StartError, TargetError)
}


def describe_in_child(
    target: str, options: Mapping[str, Mapping[str, Said]] | None = None
) -> Found:
    """Return what `target` is; its prints pass through. Raises the StartError the child met.

    `options` are those of its deployments, in kebab case, that others than its code said.
    """
    asked = {name: dict(said) for name, said in (options or {}).items()}
    question = Question(targets=[target], options=asked)
    return found_in(_answer(question, f"importing {target}"), question)


def found_in(report: Report, question: Question) -> Found:
    """Return what the child found."""
    found = report.found or Found([])
    settings = unpacked(found.settings)
    names = [each.name for each in found.applications]
    origins = [
        Origin(target, question.options, sys_path=question.sys_path, names=names)
        for target in question.targets
    ]
    return msgspec.structs.replace(found, settings=settings, origins=origins)


def run_config_in_child(path: str) -> list[Named]:
    """Run a Python configuration file; return what it says. Raises ConfigError."""
    return _answer(Question(config=path), f"running {path}").names


def begin(question: Question) -> tuple[subprocess.Popen[bytes], int]:
    """Start the child that answers; return it with the pipe that its answer comes through."""
    read_end, write_end = os.pipe()
    try:
        child = subprocess.Popen(  # noqa: S603 - our own module, under our own interpreter
            [
                *(sys.executable, "-m", "headrace.host.describing"),
                *(str(write_end), str(os.getpid())),
            ],
            pass_fds=(write_end,),
            stdin=subprocess.PIPE,  # options may hold keys, which no command line may show
            process_group=0,  # Ctrl-C is for the server, which then ends its child
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    _ask(child, question)
    return child, read_end


def _answer(question: Question, what: str) -> Report:
    child, read_end = begin(question)
    try:
        with open(read_end, "rb") as pipe:  # noqa: PTH123 - a file descriptor, not a path
            answer = pipe.read()
    except BaseException:
        child.kill()
        raise
    finally:
        code = child.wait()
    return read(answer, code, what)


def read(answer: bytes, code: int, what: str) -> Report:
    """Return what a child that has ended said. Raises the StartError it met."""
    if not answer:
        raise TargetError(f"{what} ended the process (exit code {code})")
    report = msgspec.msgpack.decode(answer, type=Report)
    if report.failure is not None:
        raise again(report.failure)
    return report


def _ask(child: subprocess.Popen[bytes], question: Question) -> None:
    """Tell the child what is asked of it; one that has ended already has not heard it."""
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
            pipe.write(msgspec.msgpack.encode(question))


def again(failure: Failure) -> StartError:
    """Return the error that a child met."""
    kind = KINDS.get(failure.kind, StartError)
    if issubclass(kind, (TargetError, SetupFailed)):
        return kind(failure.message, traceback=failure.traceback)
    return kind(failure.message)


def main(fd: int) -> int:
    """Be the child: answer the question on standard input into the pipe `fd`."""
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    try:
        report = _found_out(question)
    except StartError as error:
        report = Report(failure=Failure(**failure_of(error)))
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(msgspec.msgpack.encode(report))
    return 0


def _found_out(question: Question) -> Report:
    if question.config:
        return Report(names=run_file(question.config))
    sys.path[:] = [*(p for p in question.sys_path if p not in sys.path), *sys.path]
    if question.again:
        return Report(again=[described_again(each) for each in question.again])
    (target,) = question.targets
    found = find(target)
    meant = meant_by(question.options, labels_of(found.applications))
    asked = {meant[name]: said for name, said in question.options.items()}
    files = imported_files()
    code = contents_of(files)
    applications = [_all_changed(each, asked, code) for each in found.applications]
    return Report(found=Found(applications, packed(found.settings), found.app, files=files))


def _all_changed(
    application: Application, asked: Mapping[str, Mapping[str, Said]], code: str
) -> Application:
    """Return an application with some options of its deployments changed. Raises ConfigError."""
    deployments = [
        _changed(each, asked.get(application.label(each.name), {}))
        for each in application.deployments
    ]
    return application_of(deployments, application.name, application.route_prefix, code)


def _changed(served: Served, said: Mapping[str, Said]) -> Served:
    """Return a deployment with some of its options changed. Raises ConfigError."""
    if not said:
        return served
    changes: dict[str, Any] = {option: one.value for option, one in said.items()}
    options = with_options(served.options, changes)
    if served.functions:
        name = changes.get("name") or served.name
        return msgspec.structs.replace(served, name=name, options=options)
    try:
        new = describe(fetch(served.source), options, is_made_with=bool(served.arguments))
    except ConfigError as error:
        places = ", ".join(one.source for one in said.values())
        raise ConfigError(f"{places}: {error}") from error
    return msgspec.structs.replace(
        new,
        name=changes.get("name") or served.name,
        arguments=served.arguments,
        is_root=served.is_root,
        changes=served.changes,
    )


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    sys.exit(main(int(sys.argv[1])))
