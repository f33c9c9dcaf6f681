"""The command line: one file per command, which parses and then calls the server."""

from __future__ import annotations

import click

from headrace._version import __version__


class Commands(click.Group):
    """The commands, each imported only when it is run."""

    names = (
        *("serve", "status", "deploy", "delete", "reload", "stop"),
        *("jobs", "check", "export", "demo"),
    )

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of a reader's day."""
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in self.names:
            return None
        from importlib import import_module

        command: click.Command = import_module(f"headrace.cli.{cmd_name}").command
        return command


@click.command(cls=Commands)
@click.version_option(__version__, prog_name="headrace")
def main() -> None:
    """Put a Python model behind HTTP."""
