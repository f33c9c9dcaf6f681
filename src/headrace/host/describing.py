"""Import a target in a child process, so that the server itself never runs user code."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import msgspec

from headrace.errors import AddressError, ConfigError, SetupFailed, StartError, TargetError
from headrace.host.targets import Found, failure_of, find
from headrace.host.travelling import packed, unpacked
from headrace.replica.parent import die_with_parent


class Failure(msgspec.Struct, frozen=True):
    """A StartError on its way between two processes."""

    kind: str
    message: str
    traceback: str


class Report(msgspec.Struct, frozen=True):
    """What the child found, or why not."""

    found: Found | None = None
    failure: Failure | None = None


KINDS: dict[str, type[StartError]] = {
    kind.__name__: kind
    for kind in (AddressError, ConfigError, SetupFailed, StartError, TargetError)
}


def describe_in_child(target: str) -> Found:
    """Return what `target` is; its prints pass through. Raises the StartError the child met."""
    read_end, write_end = os.pipe()
    try:
        child = subprocess.Popen(  # noqa: S603 - our own module, under our own interpreter
            [
                *(sys.executable, "-m", "headrace.host.describing"),
                *(target, str(write_end), str(os.getpid())),
            ],
            pass_fds=(write_end,),
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the server, which then ends its child
        )
    finally:
        os.close(write_end)
    try:
        with open(read_end, "rb") as pipe:  # noqa: PTH123 - a file descriptor, not a path
            answer = pipe.read()
    except BaseException:
        child.kill()
        raise
    finally:
        code = child.wait()
    if not answer:
        raise TargetError(f"importing {target} ended the process (exit code {code})")
    report = msgspec.msgpack.decode(answer, type=Report)
    if report.failure is not None:
        raise again(report.failure)
    found = report.found or Found([])
    return Found(found.deployments, unpacked(found.settings))


def again(failure: Failure) -> StartError:
    """Return the error that a child met."""
    kind = KINDS.get(failure.kind, StartError)
    if issubclass(kind, (TargetError, SetupFailed)):
        return kind(failure.message, traceback=failure.traceback)
    return kind(failure.message)


def main(target: str, fd: int) -> int:
    """Be the child: describe `target` into the pipe `fd`."""
    try:
        found = find(target)
        report = Report(found=Found(found.deployments, packed(found.settings)))
    except StartError as error:
        report = Report(failure=Failure(**failure_of(error)))
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(msgspec.msgpack.encode(report))
    return 0


if __name__ == "__main__":
    die_with_parent(int(sys.argv[3]))
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
