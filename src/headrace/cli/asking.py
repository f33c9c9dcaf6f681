"""How a command asks a server through its admin socket, and where it finds that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headrace.host.admin import Answer, Request

pidfile_option = click.option(
    "--pidfile",
    envvar="HEADRACE_PIDFILE",
    required=True,
    help="The pidfile that the server was started with; else the environment's HEADRACE_PIDFILE.",
)
timeout_option = click.option(
    "--timeout-s",
    type=float,
    default=600.0,
    show_default=True,
    help="How long it may take.",
)


def ask(pidfile: str, request: Request, timeout_s: float) -> Answer:
    """Return what became of a request. Raises NotRunning, and the StartError that was met."""
    from contextlib import closing

    from headrace.host.admin import asked
    from headrace.host.asking import NotRunning, Process
    from headrace.host.describing import Failure, again

    with closing(Process(pidfile)) as process:
        try:
            answer = asked(pidfile, request, timeout_s)
        except TimeoutError:
            raise click.ClickException(
                f"not done after {timeout_s:g} s; it goes on, and `headrace status --pidfile "
                f"{pidfile}` tells how"
            ) from None
        except OSError as error:
            raise NotRunning(
                f"the server (process {process.pid}) does not answer at its admin socket: {error}"
            ) from error
    if answer.kind:
        if answer.traceback:
            print(answer.traceback.rstrip(), file=sys.stderr)
        raise again(Failure(answer.kind, f"nothing has changed: {answer.message}", ""))
    return answer
