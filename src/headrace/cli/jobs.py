"""`headrace jobs`: look at a server's jobs, end them, have them once more, wait for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from headrace.client.jobs import JobsClient
    from headrace.client.records import JobRecord

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:8000"
OTHERWISE, INTERRUPTED = 1, 130
LOOK_EVERY_S = 0.5


def _server(command: F) -> F:
    """Add the options that say which server, and who asks."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print what the server says."),
        click.option(
            "--api-key",
            envvar="HEADRACE_CLIENT_KEY",
            help="The key, where routes have some; else the environment's HEADRACE_CLIENT_KEY.",
        ),
        click.option(
            "--url",
            envvar="HEADRACE_CLIENT_URL",
            default=DEFAULT_URL,
            show_default=True,
            help="http://host:port or unix:/path; else the environment's HEADRACE_CLIENT_URL.",
        ),
    ):
        command = option(command)
    return command


_job = click.argument("job")


@click.group("jobs")
def command() -> None:
    """Look at the jobs of a running server, and act on them.

    Each command asks the server at --url; who has an API key sees the jobs of that key.
    """


@command.command("list")
@click.option("--status", help="Only those: queued, running, canceling, succeeded, failed, ...")
@click.option("--route", help="Only those of a route, such as /predict.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@_server
def list_jobs(
    *,
    status: str | None,
    route: str | None,
    limit: int,
    url: str,
    api_key: str | None,
    as_json: bool,
) -> None:
    """List jobs, the latest first."""
    from itertools import islice

    from headrace.client.telling import HEAD, row, rows

    def tell(client: JobsClient) -> None:
        found = list(islice(client.list(status, route, limit=min(limit, 1000)), limit))
        if as_json:
            for each in found:
                print(_json(each))
        elif found:
            print("\n".join(rows([HEAD, *map(row, found)])))
        else:
            print("no jobs")

    _with(url, api_key, tell)


@command.command("show")
@_job
@_server
def show(*, job: str, url: str, api_key: str | None, as_json: bool) -> None:
    """Tell all that is known of JOB."""
    _with(url, api_key, lambda client: _print(client.get(job), as_json=as_json))


@command.command("cancel")
@_job
@_server
def cancel(*, job: str, url: str, api_key: str | None, as_json: bool) -> None:
    """End JOB; its work is stopped if it runs. What is over stays as it is."""
    _with(url, api_key, lambda client: _print(client.cancel(job), as_json=as_json))


@command.command("retry")
@_job
@_server
def retry(*, job: str, url: str, api_key: str | None, as_json: bool) -> None:
    """Have JOB once more, which failed, was canceled or has expired."""
    _with(url, api_key, lambda client: _print(client.retry(job), as_json=as_json))


@command.command("wait")
@_job
@click.option("--timeout-s", type=float, help="How long to wait; else as long as it takes.")
@_server
def wait(
    *, job: str, timeout_s: float | None, url: str, api_key: str | None, as_json: bool
) -> None:
    """Wait for the end of JOB, and show how far it is.

    A bar on a terminal, else a line for each change; with --json the job at its end. The server may
    be restarted meanwhile. Exits with 0 if the job succeeded, 1 if it ended otherwise or the time
    is over. Ctrl-C leaves the job as it is.
    """
    import sys

    from headrace.client.telling import Display
    from headrace.core.jobs import Status

    def follow(client: JobsClient) -> None:
        display = Display(sys.stderr, is_live=sys.stderr.isatty(), is_silent=as_json)
        try:
            record = client.wait(job, timeout_s, every_s=LOOK_EVERY_S, seen=display.show)
        except TimeoutError as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        finally:
            display.close()
        if as_json:
            print(_json(record))
        if record.status is not Status.SUCCEEDED:
            raise SystemExit(OTHERWISE)

    _with(url, api_key, follow)


def _with(url: str, key: str | None, act: Callable[[JobsClient], object]) -> None:
    from headrace.cli.ending import exit_on_error
    from headrace.client.jobs import JobsClient

    with exit_on_error(), JobsClient(url, key, patience_s=30.0) as client:
        act(client)


def _print(record: JobRecord, *, as_json: bool) -> None:
    from headrace.client.telling import told

    print(_json(record) if as_json else told(record))


def _json(record: JobRecord) -> str:
    import msgspec

    return msgspec.json.encode(record).decode()
